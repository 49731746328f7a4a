package cluster

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/cluster/pki"
)

// The files in tls/.
const (
	authorityFile   = "ca.pem"
	certificateFile = "node.pem"
	keyFile         = "node.key"
)

// credentials is what the node proves its name with. The certificate is replaced
// while the node runs.
type credentials struct {
	dir       string
	authority *x509.Certificate
	current   atomic.Pointer[tls.Certificate]
}

// loadCredentials reads tls/. A certificate that does not fit its key, which a
// crash between the two files leaves, or that is missing or not what the CA has
// signed, is left out: the caller has it issued again.
func loadCredentials(dir string) (*credentials, error) {
	path := filepath.Join(dir, authorityFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the cluster CA's certificate: %w", ErrDamaged, err)
	}
	authority, err := pki.DecodeCertificate(text)
	if err == nil {
		err = signed(authority, authority)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the cluster CA's certificate, %s: %w", ErrDamaged, path, err)
	}
	c := &credentials{dir: dir, authority: authority}
	cert, key, err := readPair(dir)
	if err == nil && pki.Matches(cert, key) && signed(cert, authority) == nil {
		c.current.Store(pki.Pair(cert, key, authority))
	}
	return c, nil
}

// signed is nil where a certificate is just what its authority has signed.
func signed(cert, authority *x509.Certificate) error {
	return authority.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
}

func readPair(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certText, err := os.ReadFile(filepath.Join(dir, certificateFile))
	keyText, keyErr := os.ReadFile(filepath.Join(dir, keyFile))
	if err := errors.Join(err, keyErr); err != nil {
		return nil, nil, err
	}
	cert, err := pki.DecodeCertificate(certText)
	key, keyErr := pki.DecodeKey(keyText)
	return cert, key, errors.Join(err, keyErr)
}

// saveAuthority writes the CA's certificate.
func saveAuthority(dir string, authority *x509.Certificate) error {
	return durable.WriteFile(filepath.Join(dir, authorityFile), pki.EncodeCertificate(authority), 0o644)
}

// savePair writes the key, then its certificate. A crash between leaves a pair
// that does not fit, which loadCredentials notices.
func savePair(dir string, cert *x509.Certificate, key *ecdsa.PrivateKey) error {
	text, err := pki.EncodeKey(key)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, keyFile), text, 0o600); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, certificateFile), pki.EncodeCertificate(cert), 0o644)
}

// replace puts a new certificate in the place of the old one.
func (c *credentials) replace(cert *x509.Certificate, key *ecdsa.PrivateKey) error {
	if err := savePair(c.dir, cert, key); err != nil {
		return err
	}
	c.current.Store(pki.Pair(cert, key, c.authority))
	return nil
}

// due says whether the certificate is missing or in the last third of its life.
func (c *credentials) due(now time.Time) bool {
	pair := c.current.Load()
	return pair == nil || now.After(pair.Leaf.NotAfter.Add(-pki.NodeValidity/3))
}

// valid says whether peers accept the certificate.
func (c *credentials) valid(now time.Time) bool {
	pair := c.current.Load()
	return pair != nil && now.Before(pair.Leaf.NotAfter)
}
