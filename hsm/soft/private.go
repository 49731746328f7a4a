package soft

import (
	"context"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// MAC authenticates a message.
func (p *Partition) MAC(ctx context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	return p.use(ctx, &key, func(k *algorithm.Key) ([]byte, error) { return k.MAC(alg, message) })
}

// Sign signs a digest.
func (p *Partition) Sign(ctx context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	return p.use(ctx, &key, func(k *algorithm.Key) ([]byte, error) { return k.Sign(alg, digest) })
}

// Open decrypts what was encrypted to the public key.
func (p *Partition) Open(ctx context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	return p.use(ctx, &key, func(k *algorithm.Key) ([]byte, error) { return k.Open(alg, ciphertext) })
}

// Agree makes a shared secret with a peer's public key.
func (p *Partition) Agree(ctx context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	return p.use(ctx, &key, func(k *algorithm.Key) ([]byte, error) { return k.Agree(peer) })
}

// Decapsulate answers the secret of a ciphertext.
func (p *Partition) Decapsulate(ctx context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	return p.use(ctx, &key, func(k *algorithm.Key) ([]byte, error) { return k.Decapsulate(ciphertext) })
}
