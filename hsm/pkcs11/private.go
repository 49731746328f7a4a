package pkcs11

import (
	"bytes"
	"context"
	"fmt"
	"math/big"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// Open implements hsm.Private.
func (p *Partition) Open(ctx context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	if p.assists(key.Spec) {
		return assisted(ctx, p, opOpen, key, func(k *algorithm.Key) ([]byte, error) { return k.Open(alg, ciphertext) })
	}
	hash := oaepHash(alg)
	if r := recipeOf(key.Spec); hash == 0 || !p.native(key.Spec) || r.keyType != p11.CKK_RSA {
		return nil, fmt.Errorf("opening by %s with key spec %q: %w", alg, key.Spec, hsm.ErrUnsupported)
	}
	own := bytes.Clone(ciphertext) // the caller may be gone before the call is
	var plaintext []byte
	err := p.do(ctx, opOpen, func(ctx context.Context) (err error) {
		plaintext, err = call(ctx, p, opOpen, func(s *session) ([]byte, error) {
			e, err := s.private(forDecrypting, &key)
			if err != nil {
				return nil, err
			}
			defer e.Release()
			return s.openOAEP(&e.Value, hash, own)
		}, func(plaintext []byte) { clear(plaintext) })
		return err
	})
	return plaintext, err
}

// oaepHash is the hash of OAEP, 0 for another algorithm.
func oaepHash(alg hsm.EncryptionAlgorithm) uint {
	switch alg {
	case hsm.RSAOAEPSHA1:
		return p11.CKM_SHA_1
	case hsm.RSAOAEPSHA256:
		return p11.CKM_SHA256
	default:
		return 0
	}
}

// openOAEP decrypts. What is no number below the modulus never gets to the token:
// what fails there, fails by its padding, or by the token.
func (s *session) openOAEP(key *object, hash uint, ciphertext []byte) ([]byte, error) {
	size := (key.modulus.BitLen() + 7) / 8
	if len(ciphertext) != size || new(big.Int).SetBytes(ciphertext).Cmp(key.modulus) >= 0 {
		return nil, hsm.ErrInvalidCiphertext // RFC 8017 §7.1.2 step 1, §5.1.2
	}
	if hash != p11.CKM_SHA_1 && s.p.unpads.Load() {
		return s.openBare(key, hash, ciphertext)
	}
	plaintext, err := judged(s, hsm.ErrInvalidCiphertext, func() ([]byte, error) {
		return s.Decrypt(s.handle, mechanism{number: p11.CKM_RSA_PKCS_OAEP, hash: hash}, key.handle, ciphertext)
	})
	if hash != p11.CKM_SHA_1 && s.p.can.bareRSA && refusesMechanism(err) { // no mechanism list tells
		s.p.unpads.Store(true)
		return s.openBare(key, hash, ciphertext)
	}
	return plaintext, err
}

// openBare has the token do no more than RSA, and takes the padding off itself.
func (s *session) openBare(key *object, hash uint, ciphertext []byte) ([]byte, error) {
	raw, err := s.Decrypt(s.handle, mechanism{number: p11.CKM_RSA_X_509}, key.handle, ciphertext)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	if len(raw) > len(ciphertext) {
		return nil, fmt.Errorf("C_Decrypt: %d bytes of RSA became %d: %w", len(ciphertext), len(raw), hsm.ErrUnavailable)
	}
	padded := make([]byte, len(ciphertext)) // some modules leave leading zeros out
	defer clear(padded)
	copy(padded[len(padded)-len(raw):], raw)
	return unpad(padded, hash)
}

// Agree implements hsm.Private.
func (p *Partition) Agree(ctx context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	if p.assists(key.Spec) {
		return assisted(ctx, p, opAgree, key, func(k *algorithm.Key) ([]byte, error) { return k.Agree(peer) })
	}
	r := recipeOf(key.Spec)
	if !p.native(key.Spec) || !p.can.agreement || r.keyType != p11.CKK_EC || !algorithm.Agrees(key.Spec) {
		return nil, fmt.Errorf("agreeing with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
	}
	point, err := algorithm.Point(key.Spec, peer)
	if err != nil {
		return nil, err
	}
	var secret []byte
	err = p.do(ctx, opAgree, func(ctx context.Context) (err error) {
		secret, err = call(ctx, p, opAgree, func(s *session) ([]byte, error) {
			e, err := s.private(forAgreeing, &key)
			if err != nil {
				return nil, err
			}
			defer e.Release()
			return s.agree(e.Value.handle, r, point)
		}, func(secret []byte) { clear(secret) })
		return err
	})
	return secret, err
}

// agree answers the x-coordinate that a private key and a point make. It is the
// API's own answer, so it leaves the token.
func (s *session) agree(key objectHandle, r *recipe, point []byte) ([]byte, error) {
	h, err := s.DeriveECDH(s.handle, key, point, append(readable(), attribute{p11.CKA_VALUE_LEN, uint(r.size)}))
	if err != nil {
		return nil, err
	}
	defer s.destroy(h)
	x, err := s.Value(s.handle, h)
	if err != nil || len(x) == r.size {
		return x, err
	}
	defer clear(x)
	if len(x) > r.size {
		return nil, fmt.Errorf("C_DeriveKey: a secret of %d bytes: %w", len(x), hsm.ErrUnavailable)
	}
	out := make([]byte, r.size) // SP 800-56A appendix C.1: leading zeros belong to it
	copy(out[r.size-len(x):], x)
	return out, nil
}

// Decapsulate implements hsm.Private. PKCS #11 v3.0 has no mechanism for it.
func (p *Partition) Decapsulate(ctx context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	if !p.assists(key.Spec) {
		return nil, fmt.Errorf("decapsulating with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
	}
	return assisted(ctx, p, opDecapsulate, key, func(k *algorithm.Key) ([]byte, error) { return k.Decapsulate(ciphertext) })
}
