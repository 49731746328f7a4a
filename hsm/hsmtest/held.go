package hsmtest

import (
	"context"
	"crypto/hmac"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// errMAC is returned by VerifyMAC of a partition's keys, which has no such call.
var errMAC = errors.New("another MAC")

// partitionHolder brings keys into a partition.
type partitionHolder struct {
	t  testing.TB
	p  User
	g  hsm.Generation
	by hsm.WrappedKey
}

// PartitionHolder answers the Holder of a partition, under domain key generation
// g.
func PartitionHolder(t testing.TB, p User, g hsm.Generation) Holder {
	t.Helper()
	by, err := p.GenerateKey(t.Context(), g, hsm.RSA2048)
	must(t, err)
	return &partitionHolder{t, p, g, by}
}

func (h *partitionHolder) Can(spec hsm.KeySpec) bool { return h.p.Info().Can(spec) }

func (h *partitionHolder) Bring(spec hsm.KeySpec, _ string, material []byte) (Held, error) {
	h.t.Helper()
	key, _, err := h.p.ImportKey(h.t.Context(), h.g, spec, hsm.Import{
		Wrapping: h.by, Algorithm: hsm.WrapAESSHA256, Material: Wrap(h.t, h.by.Public, h.by.Spec, hsm.WrapAESSHA256, material),
	})
	if err != nil {
		return nil, err
	}
	return &partitionKey{h.t.Context(), h.p, key}, nil
}

func (h *partitionHolder) Refused(err error) bool {
	return errors.Is(err, hsm.ErrInvalidKey) || errors.Is(err, hsm.ErrInvalidCiphertext) || errors.Is(err, errMAC)
}

// partitionKey is a key in a partition.
type partitionKey struct {
	ctx context.Context
	p   User
	key hsm.WrappedKey
}

func (k *partitionKey) Public() []byte { return k.key.Public }

func (k *partitionKey) Sign(alg hsm.SigningAlgorithm, message []byte) ([]byte, error) {
	digest, err := algorithm.Digest(k.key.Public, k.key.Spec, alg, message)
	if err != nil {
		return nil, err
	}
	return k.p.Sign(k.ctx, k.key, alg, digest)
}

func (k *partitionKey) Open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	return k.p.Open(k.ctx, k.key, alg, ciphertext)
}

func (k *partitionKey) MAC(message []byte) ([]byte, error) {
	return k.p.MAC(k.ctx, k.key, algorithm.MACAlgorithmOf(k.key.Spec), message)
}

func (k *partitionKey) VerifyMAC(message, tag []byte) error {
	mac, err := k.MAC(message)
	if err != nil {
		return err
	}
	if !hmac.Equal(mac, tag) {
		return errMAC
	}
	return nil
}

func (k *partitionKey) Agree(peer []byte) ([]byte, error) { return k.p.Agree(k.ctx, k.key, peer) }

func (k *partitionKey) Decapsulate(ciphertext []byte) ([]byte, error) {
	return k.p.Decapsulate(k.ctx, k.key, ciphertext)
}
