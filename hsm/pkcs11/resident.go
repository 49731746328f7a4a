package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// Resident keys are AES-256 keys that are objects of the token itself: no domain key
// wraps them, and they never leave it. A label names each. They seal by AES-256-GCM
// with random nonces of 96 bits, so one key is good for 2^32 messages (SP 800-38D
// §8.3).

var opResident = operation{name: "resident"}

// residentNonce is the length in bytes of a resident key's nonces.
const residentNonce = 12

// ErrNoResident is returned where the token has no resident key of a label.
var ErrNoResident = errors.New("pkcs11: the token has no such key")

// MakeResident makes a resident key. Where there is one of the label it does nothing:
// an attempt that seemed to fail may have made it.
func (p *Partition) MakeResident(ctx context.Context, label string) error {
	return p.do(ctx, opResident, func(ctx context.Context) error {
		_, err := call(ctx, p, opResident, func(s *session) (none, error) {
			p.provision.Lock()
			defer p.provision.Unlock()
			found, err := s.residents(label)
			if err != nil || len(found) > 0 {
				return none{}, err
			}
			template := append(secretKey(true, false, p11.CKA_ENCRYPT, p11.CKA_DECRYPT),
				attribute{p11.CKA_VALUE_LEN, uint(secretSize)}, attribute{p11.CKA_LABEL, label})
			_, err = s.GenerateKey(s.handle, p11.CKM_AES_KEY_GEN, template)
			return none{}, err
		}, nil)
		return err
	})
}

// residents are the objects of a label: one, or in the rare case that two attempts
// have made it, more.
func (s *session) residents(label string) ([]objectHandle, error) {
	return s.Find(s.handle, []attribute{
		{p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)}, {p11.CKA_TOKEN, true}, {p11.CKA_LABEL, label},
	})
}

// SealResident encrypts with a resident key and authenticates aad. It answers the
// nonce, the ciphertext and the tag.
func (p *Partition) SealResident(ctx context.Context, label string, plaintext, aad []byte) ([]byte, error) {
	var sealed []byte
	err := p.do(ctx, opResident, func(ctx context.Context) (err error) {
		own := slices.Concat(plaintext, aad) // the caller may be gone before the call is
		text, aad := own[:len(plaintext)], own[len(plaintext):]
		sealed, err = call(ctx, p, opResident, func(s *session) ([]byte, error) {
			defer clear(text)
			return s.sealResident(label, text, aad)
		}, nil)
		return err
	})
	return sealed, err
}

func (s *session) sealResident(label string, plaintext, aad []byte) ([]byte, error) {
	found, err := s.residents(label)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNoResident
	}
	nonce, err := s.Random(s.handle, residentNonce)
	if err != nil {
		return nil, err
	}
	if len(nonce) != residentNonce {
		return nil, fmt.Errorf("C_GenerateRandom: %d bytes: %w", len(nonce), hsm.ErrUnavailable)
	}
	body, err := s.SealGCM(s.handle, found[0], nonce, plaintext, aad)
	if err == nil && len(body) != len(plaintext)+hsm.TagSize {
		err = fmt.Errorf("C_Encrypt: %d bytes became %d: %w", len(plaintext), len(body), hsm.ErrUnavailable)
	}
	return append(nonce, body...), err
}

// OpenResident decrypts what SealResident returned. What does not authenticate is
// ErrInvalidCiphertext.
func (p *Partition) OpenResident(ctx context.Context, label string, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < residentNonce+hsm.TagSize {
		return nil, hsm.ErrInvalidCiphertext
	}
	var plaintext []byte
	err := p.do(ctx, opResident, func(ctx context.Context) (err error) {
		own := slices.Concat(sealed, aad) // the caller may be gone before the call is
		nonce, body, aad := own[:residentNonce], own[residentNonce:len(sealed)], own[len(sealed):]
		plaintext, err = call(ctx, p, opResident, func(s *session) ([]byte, error) {
			found, err := s.residents(label)
			if err != nil {
				return nil, err
			}
			err = ErrNoResident
			for _, key := range found {
				var plaintext []byte
				plaintext, err = judged(s, hsm.ErrInvalidCiphertext, func() ([]byte, error) { return s.OpenGCM(s.handle, key, nonce, body, aad) })
				if !errors.Is(err, hsm.ErrInvalidCiphertext) {
					return plaintext, err
				}
			}
			return nil, err
		}, func(plaintext []byte) { clear(plaintext) })
		return err
	})
	return plaintext, err
}
