package pkcs11

import (
	"bytes"
	"context"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// imported is what ImportKey answers.
type imported struct {
	key   hsm.WrappedKey
	print hsm.Fingerprint
}

// envelope is how material comes in.
type envelope struct {
	hash uint // of OAEP; 0 for SM2PKE
	aes  bool // an AES key is in OAEP, the material under it
}

func envelopeOf(alg hsm.WrappingAlgorithm) (envelope, bool) {
	switch alg {
	case hsm.WrapOAEPSHA1:
		return envelope{hash: p11.CKM_SHA_1}, true
	case hsm.WrapOAEPSHA256:
		return envelope{hash: p11.CKM_SHA256}, true
	case hsm.WrapAESSHA1:
		return envelope{hash: p11.CKM_SHA_1, aes: true}, true
	case hsm.WrapAESSHA256:
		return envelope{hash: p11.CKM_SHA256, aes: true}, true
	default:
		return envelope{}, alg == hsm.WrapSM2PKE
	}
}

// goesWith says whether keys of a spec open the envelope.
func (e envelope) goesWith(spec hsm.KeySpec) bool {
	if r := recipeOf(spec); e.hash != 0 {
		return r != nil && r.keyType == p11.CKK_RSA
	}
	return spec == hsm.SM2
}

// ImportKey implements hsm.Maker. The material stays in the token where the token
// can open the envelope and say what is in it.
func (p *Partition) ImportKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	e, ok := envelopeOf(in.Algorithm)
	if wrapping := in.Wrapping.Spec; !ok || !e.goesWith(wrapping) || !p.Info().Can(wrapping) || !p.Info().Can(spec) {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, fmt.Errorf("importing key spec %q by %s with key spec %q: %w",
			spec, in.Algorithm, wrapping, hsm.ErrUnsupported)
	}
	in.Material = bytes.Clone(in.Material) // the caller may be gone before the call is
	var out imported
	err := p.do(ctx, opImport, func(ctx context.Context) (err error) {
		out, err = call(ctx, p, opImport, func(s *session) (imported, error) {
			d, err := s.domain(g)
			if err != nil {
				return imported{}, err
			}
			inside, err := s.keepsInside(spec, e, &in)
			if err != nil {
				return imported{}, err
			}
			out := imported{key: hsm.WrappedKey{Generation: g, Spec: spec}}
			if inside {
				err = s.importInside(&out, d, e, &in)
			} else {
				err = s.importOutside(&out, d, e, &in)
			}
			return out, err
		}, nil)
		return err
	})
	return out.key, out.print, err
}

// importOutside opens the envelope with the token, takes the material into
// memory, and has the token wrap it.
func (s *session) importOutside(out *imported, d domainKey, e envelope, in *hsm.Import) error {
	material, err := s.takeOut(e, in)
	if err != nil {
		return err
	}
	defer clear(material)
	raw, public, print, err := algorithm.Import(out.key.Spec, material)
	if err != nil {
		return err
	}
	defer clear(raw)
	out.key.Public, out.print = public, print
	out.key.Wrapped, err = s.keep(d, raw)
	return err
}

// takeOut answers what is in the envelope.
func (s *session) takeOut(e envelope, in *hsm.Import) ([]byte, error) {
	if s.p.assists(in.Wrapping.Spec) {
		raw, err := s.reveal(&in.Wrapping)
		if err != nil {
			return nil, err
		}
		defer clear(raw)
		k, err := algorithm.Parse(in.Wrapping.Spec, raw)
		if err != nil {
			return nil, err
		}
		defer k.Wipe()
		return k.Unwrap(in.Algorithm, in.Material)
	}
	head, rest, err := e.split(in)
	if err != nil {
		return nil, err
	}
	key, err := s.private(forDecrypting, &in.Wrapping)
	if err != nil {
		return nil, err
	}
	defer key.Release()
	material, err := s.openOAEP(&key.Value, e.hash, head)
	if err != nil || !e.aes {
		return material, err
	}
	defer clear(material)
	return algorithm.UnwrapAES(material, rest)
}

// split answers what is under the RSA key, and what is under the AES key in it
// (PKCS #11 v2.40 §2.1.21).
func (e envelope) split(in *hsm.Import) (head, rest []byte, err error) {
	if !e.aes {
		return in.Material, nil, nil
	}
	size := recipeOf(in.Wrapping.Spec).size
	if len(in.Material) <= size {
		return nil, nil, hsm.ErrInvalidCiphertext
	}
	return in.Material[:size], in.Material[size:], nil
}
