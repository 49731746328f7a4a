package pkcs11

import (
	"context"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

// The operations, as the figures know them.
var (
	opGenerate = operation{name: "generate"}
	opSlowPair = operation{name: "generate", slow: true} // RSA
	opMAC      = operation{name: "mac"}
	opOpen     = operation{name: "open"}
	opAgree    = operation{name: "agree"}
	opImport   = operation{name: "import"}

	opDecapsulate = operation{name: "decapsulate"}
	opEncrypt     = operation{name: "encrypt"}
	opDecrypt     = operation{name: "decrypt"}
	opSign        = operation{name: "sign"}
	opRandom      = operation{name: "random"}
)

// GenerateKey makes a key in the token, or for it, and wraps it.
func (p *Partition) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if p.assists(spec) {
		return p.generateAssisted(ctx, g, spec)
	}
	if !p.native(spec) {
		return hsm.WrappedKey{}, fmt.Errorf("key spec %q: %w", spec, hsm.ErrUnsupported)
	}
	r, op := recipeOf(spec), opGenerate
	if r.keyType == p11.CKK_RSA {
		op = opSlowPair
	}
	var key hsm.WrappedKey
	err := p.do(ctx, op, func(ctx context.Context) (err error) {
		key, err = call(ctx, p, op, func(s *session) (hsm.WrappedKey, error) {
			d, err := s.domain(g)
			if err != nil {
				return hsm.WrappedKey{}, err
			}
			made := hsm.WrappedKey{Generation: g, Spec: spec}
			if r.secret() {
				made.Wrapped, err = s.generateSecret(d, r)
			} else {
				made.Wrapped, made.Public, err = s.generatePair(d, r)
			}
			return made, err
		}, nil)
		return err
	})
	return key, err
}

// domain answers the domain key of a generation.
func (s *session) domain(g hsm.Generation) (domainKey, error) {
	d, ok := s.w.domains[g]
	if !ok {
		return domainKey{}, fmt.Errorf("generation %d: %w", g, hsm.ErrNoDomain)
	}
	return d, nil
}

func (s *session) generateSecret(d domainKey, r *recipe) (wrapped []byte, err error) {
	h, err := s.generate(r)
	if err != nil {
		return nil, err
	}
	defer s.destroy(h)
	return s.Wrap(s.handle, s.p.kwp, d.handle, h)
}

// generate makes a secret session object that can be wrapped.
func (s *session) generate(r *recipe) (objectHandle, error) {
	if r.mac == 0 {
		return s.newSecret(p11.CKA_DERIVE)
	}
	template := append(secretOf(r.keyType, false, true, p11.CKA_SIGN), attribute{p11.CKA_VALUE_LEN, uint(r.size)})
	return s.GenerateKey(s.handle, r.generate, template)
}

// newSecret makes an AES-256 session object that can be wrapped.
func (s *session) newSecret(usage ...uint) (objectHandle, error) {
	template := append(secretKey(false, true, usage...), attribute{p11.CKA_VALUE_LEN, uint(secretSize)})
	return s.GenerateKey(s.handle, p11.CKM_AES_KEY_GEN, template)
}

func (s *session) generatePair(d domainKey, r *recipe) (wrapped, public []byte, err error) {
	half := publicKey(r.keyType, false, p11.CKA_VERIFY)
	if r.keyType == p11.CKK_RSA {
		half = append(half, attribute{p11.CKA_MODULUS_BITS, uint(8 * r.size)}, attribute{p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}})
	} else {
		half = append(half, attribute{p11.CKA_EC_PARAMS, r.parameter})
	}
	// What the key may do is said each time it is unwrapped; wrapped, it does not
	// know.
	pub, priv, err := s.GenerateKeyPair(s.handle, r.generate, half, privateKey(r.keyType, false, true, p11.CKA_SIGN))
	if err != nil {
		return nil, nil, err
	}
	defer s.destroy(pub)
	defer s.destroy(priv)
	if public, err = s.readPublic(pub, r); err != nil {
		return nil, nil, err
	}
	wrapped, err = s.Wrap(s.handle, s.p.kwp, d.handle, priv)
	return wrapped, public, err
}

// Encrypt seals a message with the key's epoch.
func (p *Partition) Encrypt(ctx context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	if key.Spec != hsm.SymmetricDefault {
		return hsm.Sealed{}, fmt.Errorf("encrypting with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
	}
	var sealed hsm.Sealed
	err := p.do(ctx, opEncrypt, func(ctx context.Context) (err error) {
		own := slices.Concat(plaintext, aad) // the caller may be gone before the call is
		text, aad := own[:len(plaintext)], own[len(plaintext):]
		sealed, err = call(ctx, p, opEncrypt, func(s *session) (hsm.Sealed, error) {
			defer clear(text)
			return s.seal(&key, text, aad)
		}, nil)
		return err
	})
	return sealed, err
}

func (s *session) seal(key *hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	for {
		e, err := s.sealer(key)
		if err != nil {
			return hsm.Sealed{}, err
		}
		nonce, ok := e.Value.nonces.Next()
		if !ok { // the epoch of nonces is over: derive anew, which begins one
			s.p.objects.Remove(e)
			e.Release()
			continue
		}
		body, err := s.SealGCM(s.handle, e.Value.handle, nonce[xaes.PrefixSize:], plaintext, aad)
		e.Release()
		if err == nil && len(body) != len(plaintext)+hsm.TagSize {
			err = fmt.Errorf("C_Encrypt: %d bytes became %d: %w", len(plaintext), len(body), hsm.ErrUnavailable)
		}
		return hsm.Sealed{Derivation: hsm.DerivationXAES, Nonce: nonce, Body: body}, err
	}
}

// Decrypt opens a message.
func (p *Partition) Decrypt(ctx context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	if key.Spec != hsm.SymmetricDefault {
		return nil, fmt.Errorf("decrypting with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
	}
	if sealed.Derivation != hsm.DerivationXAES || len(sealed.Body) < hsm.TagSize {
		return nil, hsm.ErrInvalidCiphertext
	}
	var plaintext []byte
	err := p.do(ctx, opDecrypt, func(ctx context.Context) (err error) {
		own := slices.Concat(sealed.Body, aad) // the caller may be gone before the call is
		body, aad := own[:len(sealed.Body)], own[len(sealed.Body):]
		nonce := sealed.Nonce
		plaintext, err = call(ctx, p, opDecrypt, func(s *session) ([]byte, error) {
			e, err := s.opener(&key, xaes.Prefix(nonce))
			if err != nil {
				return nil, err
			}
			defer e.Release()
			return judged(s, hsm.ErrInvalidCiphertext, func() ([]byte, error) {
				return s.OpenGCM(s.handle, e.Value.handle, nonce[xaes.PrefixSize:], body, aad)
			})
		}, func(plaintext []byte) { clear(plaintext) })
		return err
	})
	return plaintext, err
}

// randomBatch is how many bytes of randomness are asked for at once: some tokens
// refuse more.
const randomBatch = 1024

// Random fills b.
func (p *Partition) Random(ctx context.Context, b []byte) error {
	n := len(b)
	return p.do(ctx, opRandom, func(ctx context.Context) error {
		random, err := call(ctx, p, opRandom, func(s *session) ([]byte, error) {
			out := make([]byte, 0, n)
			for len(out) < n {
				more, err := s.Random(s.handle, min(n-len(out), randomBatch))
				if err != nil {
					return nil, err
				}
				if len(more) == 0 {
					return nil, fmt.Errorf("C_GenerateRandom: no bytes: %w", hsm.ErrUnavailable)
				}
				out = append(out, more...)
			}
			return out, nil
		}, nil)
		copy(b, random)
		clear(random)
		return err
	})
}
