package pkcs11

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	p11 "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cofre-kms/cofre/hsm"
)

// readPublic answers the SubjectPublicKeyInfo of a public key object.
func (s *session) readPublic(o objectHandle, r *recipe) ([]byte, error) {
	if r.keyType == p11.CKK_RSA {
		return s.readModulus(o)
	}
	point, err := s.readPoint(o)
	if err != nil {
		return nil, err
	}
	return r.encodePoint(point)
}

// readModulus answers the SubjectPublicKeyInfo of an RSA key, public or private.
func (s *session) readModulus(o objectHandle) ([]byte, error) {
	modulus, err := s.Attribute(s.handle, o, p11.CKA_MODULUS)
	if err != nil {
		return nil, err
	}
	exponent, err := s.Attribute(s.handle, o, p11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, fmt.Errorf("an RSA exponent of %d bits: %w", e.BitLen(), hsm.ErrInvalidKey)
	}
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())})
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return der, nil
}

// readPoint reads the point of a public key. CKA_EC_POINT is a DER OCTET STRING
// (PKCS #11 v2.40 §2.3.3); some modules leave the envelope out.
func (s *session) readPoint(o objectHandle) ([]byte, error) {
	point, err := s.Attribute(s.handle, o, p11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	return point, nil
}

// encodePoint makes a SubjectPublicKeyInfo of a point (RFC 5480 §2, RFC 8410 §4).
func (r *recipe) encodePoint(point []byte) ([]byte, error) {
	edwards := r.keyType == keyTypeEdwards
	if edwards && len(point) != r.size || !edwards && (len(point) != 1+2*r.size || point[0] != 4) {
		return nil, fmt.Errorf("the token gives a point of %d bytes for a curve of %d: %w", len(point), r.size, hsm.ErrUnavailable)
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if !edwards {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}) // id-ecPublicKey
			}
			b.AddBytes(r.parameter)
		})
		b.AddASN1BitString(point)
	})
	return b.Bytes()
}
