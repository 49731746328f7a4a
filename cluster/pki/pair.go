package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// NewKey makes a TLS key: P-256, in memory, of no use without a certificate.
func NewKey(random io.Reader) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, fmt.Errorf("making a TLS key: %w", err)
	}
	return key, nil
}

// Pair is a certificate with its key and the authority's certificate, as TLS
// wants it.
func Pair(cert *x509.Certificate, key crypto.Signer, authority *x509.Certificate) *tls.Certificate {
	return &tls.Certificate{
		Certificate: [][]byte{cert.Raw, authority.Raw},
		PrivateKey:  key,
		Leaf:        cert,
	}
}

// EncodeCertificate is the PEM form of a certificate (RFC 7468 §5).
func EncodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// DecodeCertificate reads what EncodeCertificate wrote.
func DecodeCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("pki: no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// EncodeKey is the PEM form of a key (RFC 7468 §10).
func EncodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a TLS key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// DecodeKey reads what EncodeKey wrote.
func DecodeKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("pki: no PEM private key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decoding a TLS key: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("pki: not an ECDSA key")
	}
	return ec, nil
}

// Matches says whether a key belongs to a certificate.
func Matches(cert *x509.Certificate, key *ecdsa.PrivateKey) bool {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return err == nil && bytes.Equal(der, cert.RawSubjectPublicKeyInfo)
}
