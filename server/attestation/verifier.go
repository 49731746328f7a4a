package attestation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ErrInvalid is returned when a document is not one that a trusted hypervisor
// signed, is malformed, or is out of date. What wraps it says why, and repeats
// nothing of the document.
var ErrInvalid = errors.New("attestation document is invalid")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Verifier verifies documents. It is immutable and safe for concurrent use.
type Verifier struct{ roots *x509.CertPool }

// NewVerifier makes a verifier that trusts the root certificates of a PEM file.
// A file without one, or with anything else in it, is an error.
func NewVerifier(file []byte) (*Verifier, error) {
	v := &Verifier{roots: x509.NewCertPool()}
	for n := 1; ; n++ {
		block, rest := pem.Decode(file)
		if block == nil {
			if n == 1 {
				return nil, errors.New("no certificate")
			}
			return v, nil
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is no certificate but %q", n, block.Type)
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n, err)
		}
		if !signsCertificates(root) {
			return nil, fmt.Errorf("certificate %d (%s) is not a certificate authority's", n, root.Subject)
		}
		v.roots.AddCert(root)
		file = rest
	}
}

// Verify answers a document that was signed as AWS specifies ("Verifying the
// root of trust" in the AWS Nitro Enclaves user guide) by a certificate which at
// the time now chains to a trusted root. Otherwise the error wraps ErrInvalid.
func (v *Verifier) Verify(signed []byte, now time.Time) (*Document, error) {
	message, err := parseMessage(signed)
	if err != nil {
		return nil, err
	}
	p, err := parsePayload(message.payload)
	if err != nil {
		return nil, err
	}
	leaf, err := v.chain(p, now)
	if err != nil {
		return nil, err
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P384() {
		return nil, refuse("the certificate's key is not on the curve P-384")
	}
	if !message.verify(key) {
		return nil, refuse("the signature is wrong")
	}
	if p.document.Time.Before(leaf.NotBefore) || p.document.Time.After(leaf.NotAfter) {
		return nil, refuse("its time is outside the validity of the certificate")
	}
	return &p.document, nil
}

// chain verifies the certificates of a document and answers the one that signs.
// The bundle begins with its root, which is trusted only if it is one of ours.
func (v *Verifier) chain(p *payload, now time.Time) (*x509.Certificate, error) {
	leaf, err := x509.ParseCertificate(p.certificate)
	if err != nil {
		return nil, refuse("its certificate does not parse")
	}
	// The target certificate is an end entity's that signs data, all others are
	// authorities' ("Certificates critical extensions").
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, refuse("its certificate is not one that signs documents")
	}
	intermediates := x509.NewCertPool()
	for _, der := range p.bundle {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse("a certificate of the bundle does not parse")
		}
		if !signsCertificates(c) {
			return nil, refuse("a certificate of the bundle is not a certificate authority's")
		}
		intermediates.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: v.roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, refuse("its certificate is not valid now under a trusted root")
	}
	return leaf, nil
}

func signsCertificates(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0
}
