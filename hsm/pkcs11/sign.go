package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"math/big"
	"slices"

	p11 "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// signing is how a token signs by one of AWS's algorithms.
type signing struct {
	mechanism
	keyType uint
	curve   int         // bytes of a coordinate, of ECDSA
	digest  crypto.Hash // 0 where the message itself is signed
	prefix  []byte      // in front of the digest
	asn1    bool        // r ‖ s becomes ASN.1
}

// signingOf answers nil for an algorithm that is not of this package.
func signingOf(alg hsm.SigningAlgorithm) *signing {
	switch alg {
	case hsm.RSAPSSSHA256:
		return signingOfPSS(p11.CKM_SHA256, crypto.SHA256)
	case hsm.RSAPSSSHA384:
		return signingOfPSS(p11.CKM_SHA384, crypto.SHA384)
	case hsm.RSAPSSSHA512:
		return signingOfPSS(p11.CKM_SHA512, crypto.SHA512)
	case hsm.RSAPKCS1SHA256:
		return signingOfPKCS1(crypto.SHA256, 0x01)
	case hsm.RSAPKCS1SHA384:
		return signingOfPKCS1(crypto.SHA384, 0x02)
	case hsm.RSAPKCS1SHA512:
		return signingOfPKCS1(crypto.SHA512, 0x03)
	case hsm.ECDSASHA256:
		return signingOfECDSA(crypto.SHA256, 32)
	case hsm.ECDSASHA384:
		return signingOfECDSA(crypto.SHA384, 48)
	case hsm.ECDSASHA512:
		return signingOfECDSA(crypto.SHA512, 66)
	case hsm.ED25519SHA512:
		return &signing{mechanism: mechanism{number: signEdDSA}, keyType: keyTypeEdwards}
	case hsm.ED25519PH: // the token hashes AWS's digest once more
		return &signing{mechanism: mechanism{number: signEdDSA, prehash: true}, keyType: keyTypeEdwards, digest: crypto.SHA512}
	default:
		return nil
	}
}

func signingOfPSS(hash uint, digest crypto.Hash) *signing {
	return &signing{mechanism: mechanism{number: p11.CKM_RSA_PKCS_PSS, hash: hash}, keyType: p11.CKK_RSA, digest: digest}
}

// signingOfPKCS1: the token pads, and we make the DigestInfo (RFC 8017 §9.2), in
// which SHA-2 hashes differ by the last number of their OID.
func signingOfPKCS1(digest crypto.Hash, oid byte) *signing {
	size := byte(digest.Size())
	return &signing{
		mechanism: mechanism{number: p11.CKM_RSA_PKCS}, keyType: p11.CKK_RSA, digest: digest,
		prefix: []byte{
			0x30, 0x11 + size, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, oid, 0x05, 0x00, 0x04, size,
		},
	}
}

func signingOfECDSA(digest crypto.Hash, curve int) *signing {
	return &signing{mechanism: mechanism{number: p11.CKM_ECDSA}, keyType: p11.CKK_EC, curve: curve, digest: digest, asn1: true}
}

// fits says whether keys of a recipe sign so.
func (c *signing) fits(r *recipe) bool {
	return c != nil && r != nil && r.keyType == c.keyType && (c.curve == 0 || c.curve == r.size)
}

// Sign implements hsm.Private.
func (p *Partition) Sign(ctx context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	if p.assists(key.Spec) {
		return assisted(ctx, p, opSign, key, func(k *algorithm.Key) ([]byte, error) { return k.Sign(alg, digest) })
	}
	c := signingOf(alg)
	if !p.native(key.Spec) || !c.fits(recipeOf(key.Spec)) || c.digest != 0 && len(digest) != c.digest.Size() {
		return nil, fmt.Errorf("signing %d bytes by %s with key spec %q: %w", len(digest), alg, key.Spec, hsm.ErrUnsupported)
	}
	return p.sign(ctx, c, digest, func(s *session) (objectHandle, func(), error) {
		e, err := s.private(forSigning, &key)
		if err != nil {
			return 0, nil, err
		}
		return e.Value.handle, e.Release, nil
	})
}

// sign signs a digest with the key that find answers.
func (p *Partition) sign(ctx context.Context, c *signing, digest []byte, find func(*session) (key objectHandle, release func(), err error)) ([]byte, error) {
	data := slices.Concat(c.prefix, digest) // the caller may be gone before the call is
	var signature []byte
	err := p.do(ctx, opSign, func(ctx context.Context) (err error) {
		signature, err = call(ctx, p, opSign, func(s *session) ([]byte, error) {
			key, release, err := find(s)
			if err != nil {
				return nil, err
			}
			defer release()
			return s.sign(c, key, data)
		}, nil)
		return err
	})
	return signature, err
}

func (s *session) sign(c *signing, key objectHandle, data []byte) ([]byte, error) {
	raw, err := s.Sign(s.handle, c.mechanism, key, data)
	if err != nil || !c.asn1 {
		return raw, err
	}
	return encodeSignature(raw)
}

// encodeSignature turns r ‖ s of PKCS #11 (v2.40 §2.3.1) into the ASN.1 of
// everybody else (RFC 3279 §2.2.3).
func encodeSignature(raw []byte) ([]byte, error) {
	n := len(raw) / 2
	if n == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("a signature of %d bytes: %w", len(raw), hsm.ErrUnavailable)
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:n]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[n:]))
	})
	return b.Bytes()
}

// MAC implements hsm.Symmetric.
func (p *Partition) MAC(ctx context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	if p.assists(key.Spec) {
		return assisted(ctx, p, opMAC, key, func(k *algorithm.Key) ([]byte, error) { return k.MAC(alg, message) })
	}
	r := recipeOf(key.Spec)
	if !p.native(key.Spec) || r.mac == 0 || algorithm.MACAlgorithmOf(key.Spec) != alg {
		return nil, fmt.Errorf("MAC by %s with key spec %q: %w", alg, key.Spec, hsm.ErrUnsupported)
	}
	own := bytes.Clone(message) // likewise
	var mac []byte
	err := p.do(ctx, opMAC, func(ctx context.Context) (err error) {
		mac, err = call(ctx, p, opMAC, func(s *session) ([]byte, error) {
			e, err := s.authenticator(&key, r)
			if err != nil {
				return nil, err
			}
			defer e.Release()
			return s.Sign(s.handle, mechanism{number: r.mac}, e.Value.handle, own)
		}, nil)
		return err
	})
	return mac, err
}
