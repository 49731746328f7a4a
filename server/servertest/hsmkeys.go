package servertest

import (
	"context"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

var _ hsm.Keys = (*HSM)(nil)

// ImportKey implements hsm.Maker.
func (h *HSM) ImportKey(_ context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	raw, err := use(h, in.Wrapping, func(k *algorithm.Key) ([]byte, error) { return k.Unwrap(in.Algorithm, in.Material) })
	if err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, err
	}
	raw, public, fingerprint, err := algorithm.Import(spec, raw)
	return h.wrap(g, spec, raw, public), fingerprint, err
}

// MAC implements hsm.Symmetric.
func (h *HSM) MAC(_ context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	return use(h, key, func(k *algorithm.Key) ([]byte, error) { return k.MAC(alg, message) })
}

// Sign implements hsm.Private.
func (h *HSM) Sign(_ context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	return use(h, key, func(k *algorithm.Key) ([]byte, error) { return k.Sign(alg, digest) })
}

// Open implements hsm.Private.
func (h *HSM) Open(_ context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	return use(h, key, func(k *algorithm.Key) ([]byte, error) { return k.Open(alg, ciphertext) })
}

// Agree implements hsm.Private.
func (h *HSM) Agree(_ context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	return use(h, key, func(k *algorithm.Key) ([]byte, error) { return k.Agree(peer) })
}

// Decapsulate implements hsm.Private.
func (h *HSM) Decapsulate(_ context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	return use(h, key, func(k *algorithm.Key) ([]byte, error) { return k.Decapsulate(ciphertext) })
}

// use unwraps a key for one operation.
func use(h *HSM, key hsm.WrappedKey, do func(*algorithm.Key) ([]byte, error)) ([]byte, error) {
	raw, err := h.unwrap(key)
	if err != nil {
		return nil, err
	}
	k, err := algorithm.Parse(key.Spec, raw)
	if err != nil {
		return nil, err
	}
	return do(k)
}
