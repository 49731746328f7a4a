package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"time"
)

// How long certificates are valid.
const (
	AuthorityValidity = 10 * 365 * 24 * time.Hour
	NodeValidity      = 365 * 24 * time.Hour
	ServerValidity    = 90 * 24 * time.Hour
)

// backdate forgives peers whose clocks are behind.
const backdate = 10 * time.Minute

// Authority signs the cluster's certificates.
type Authority struct {
	// Certificate is the authority's own.
	Certificate *x509.Certificate
	// Signer holds its key; Sign takes a SHA-256 digest.
	Signer crypto.Signer
	// Random gives serial numbers (RFC 5280 §4.1.2.2).
	Random io.Reader
}

// NewAuthority makes an authority with a self-signed certificate.
func NewAuthority(signer crypto.Signer, random io.Reader, now time.Time) (*Authority, error) {
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Cofre"}, CommonName: "Cofre cluster CA"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(AuthorityValidity),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
	}
	der, err := x509.CreateCertificate(random, template, template, signer.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("signing the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	return &Authority{Certificate: cert, Signer: signer, Random: random}, nil
}

// Node certifies a node's TLS key, for both ends of a connection.
func (a *Authority) Node(public crypto.PublicKey, id Identity, now time.Time) (*x509.Certificate, error) {
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Cofre"}, CommonName: id.Name},
		URIs:        []*url.URL{id.uri()},
		NotAfter:    now.Add(NodeValidity),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, public, now)
}

// Server certifies a key for hosts, which are names and IP addresses.
func (a *Authority) Server(public crypto.PublicKey, hosts []string, now time.Time) (*x509.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Cofre"}},
		NotAfter:    now.Add(ServerValidity),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.sign(template, public, now)
}

// sign completes the template and signs it.
func (a *Authority) sign(template *x509.Certificate, public crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial(a.Random)
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = now.Add(-backdate)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	template.SignatureAlgorithm = x509.ECDSAWithSHA256
	der, err := x509.CreateCertificate(a.Random, template, a.Certificate, public, a.Signer)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return cert, nil
}

// newSerial draws a positive serial number of 127 bits.
func newSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])&(1<<63-1)|1<<62)
	return new(big.Int).SetBytes(b[:]), nil
}

// Pin is what a join token pins of an authority: the SHA-256 of its public key
// as a SubjectPublicKeyInfo (as RFC 7469 §2.4 does).
func Pin(authority *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(authority.RawSubjectPublicKeyInfo)
}
