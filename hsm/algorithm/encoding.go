package algorithm

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// The encodings that crypto/x509 has not: keys on curves and of algorithms that
// it does not know.

// spki is a SubjectPublicKeyInfo (RFC 5280 §4.1).
type spki struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// pkcs8 is a PrivateKeyInfo, or a OneAsymmetricKey whose public key is not
// looked at (RFC 5958 §2).
type pkcs8 struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	PublicKey  asn1.RawValue `asn1:"optional,tag:1"`
}

// sec1 is an ECPrivateKey (RFC 5915 §3).
type sec1 struct {
	Version    int
	PrivateKey []byte
	Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

var errEncoding = errors.New("not the encoding of a key of this kind")

// unmarshal reads der, all of it, into v.
func unmarshal(der []byte, v any) error {
	rest, err := asn1.Unmarshal(der, v)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return errEncoding
	}
	return nil
}

// padding says whether these are the zeros that fill a block of AES Key Wrap:
// SoftHSM 2.6.1 counts them as part of the key that it wraps.
func padding(rest []byte) bool {
	var bits byte
	for _, b := range rest {
		bits |= b
	}
	return len(rest) < 8 && bits == 0
}

// unpadded answers a PKCS#8 without padding.
func unpadded(der []byte) ([]byte, error) {
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(der, &whole)
	if err != nil {
		return nil, err
	}
	if !padding(rest) {
		return nil, errEncoding
	}
	return whole.FullBytes, nil
}

// whole says whether der is one element and nothing else. Only what a token
// wrapped may end in padding.
func whole(der []byte) bool {
	var element asn1.RawValue
	return unmarshal(der, &element) == nil
}

// parseStandard reads a PKCS#8 of an algorithm that crypto/x509 knows, which does
// not mind what follows it.
func parseStandard(der []byte) (any, error) {
	der, err := unpadded(der)
	if err != nil {
		return nil, err
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// marshalSPKI encodes a public key. parameters is the OID of a curve, or nil for
// none.
func marshalSPKI(algorithm, parameters asn1.ObjectIdentifier, key []byte) ([]byte, error) {
	id, err := identifier(algorithm, parameters)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(spki{id, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

func parseSPKI(der []byte, algorithm, parameters asn1.ObjectIdentifier) ([]byte, error) {
	var s spki
	if err := unmarshal(der, &s); err != nil {
		return nil, err
	}
	if !identifies(s.Algorithm, algorithm, parameters) || s.Key.BitLength%8 != 0 {
		return nil, errEncoding
	}
	return s.Key.Bytes, nil
}

// distinguished says whether a public key has its one encoding (X.690 §10).
// Readers of structures do not mind what follows their last member.
func distinguished(der []byte) bool {
	var s spki
	if unmarshal(der, &s) != nil {
		return false
	}
	again, err := asn1.Marshal(s)
	return err == nil && bytes.Equal(again, der)
}

func marshalPKCS8(algorithm, parameters asn1.ObjectIdentifier, private []byte) ([]byte, error) {
	id, err := identifier(algorithm, parameters)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(pkcs8{Algorithm: id, PrivateKey: private})
}

// parsePKCS8 answers what is in the PrivateKey of a PKCS#8. The caller wipes it.
func parsePKCS8(der []byte, algorithm, parameters asn1.ObjectIdentifier) ([]byte, error) {
	der, err := unpadded(der)
	if err != nil {
		return nil, err
	}
	var p pkcs8
	if err := unmarshal(der, &p); err != nil {
		return nil, err
	}
	if p.Version > 1 || !identifies(p.Algorithm, algorithm, parameters) {
		clear(p.PrivateKey)
		return nil, errEncoding
	}
	return p.PrivateKey, nil
}

func identifier(algorithm, parameters asn1.ObjectIdentifier) (pkix.AlgorithmIdentifier, error) {
	id := pkix.AlgorithmIdentifier{Algorithm: algorithm}
	if parameters == nil {
		return id, nil
	}
	der, err := asn1.Marshal(parameters)
	id.Parameters = asn1.RawValue{FullBytes: der}
	return id, err
}

func identifies(id pkix.AlgorithmIdentifier, algorithm, parameters asn1.ObjectIdentifier) bool {
	if !id.Algorithm.Equal(algorithm) {
		return false
	}
	if parameters == nil {
		return len(id.Parameters.FullBytes) == 0
	}
	var oid asn1.ObjectIdentifier
	return unmarshal(id.Parameters.FullBytes, &oid) == nil && oid.Equal(parameters)
}

// oidEC is id-ecPublicKey (RFC 5480 §2.1.1).
func oidEC() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} }

// marshalEC encodes a private key on a curve that crypto/x509 does not know:
// scalar has the length of the curve's order, public is an uncompressed point.
func marshalEC(curve asn1.ObjectIdentifier, scalar, public []byte) ([]byte, error) {
	inner, err := asn1.Marshal(sec1{
		Version: 1, PrivateKey: scalar,
		PublicKey: asn1.BitString{Bytes: public, BitLength: 8 * len(public)},
	})
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	return marshalPKCS8(oidEC(), curve, inner)
}

// scalarSize is the length in bytes of a scalar of the curves that are read
// here.
const scalarSize = 32

// parseEC answers the scalar of a private key, scalarSize bytes. The caller wipes
// it.
func parseEC(der []byte, curve asn1.ObjectIdentifier) ([]byte, error) {
	inner, err := parsePKCS8(der, oidEC(), curve)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	var key sec1
	if err := unmarshal(inner, &key); err != nil {
		return nil, err
	}
	defer clear(key.PrivateKey)
	if key.Version != 1 || key.Curve != nil && !key.Curve.Equal(curve) || len(key.PrivateKey) != scalarSize {
		return nil, errEncoding
	}
	out := make([]byte, scalarSize)
	copy(out, key.PrivateKey)
	return out, nil
}
