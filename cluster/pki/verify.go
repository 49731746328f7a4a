package pki

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// verifyNode checks a peer's chain against the authority and answers who it is.
func verifyNode(authority *x509.Certificate, chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, fmt.Errorf("%w: none was sent", ErrNotNode)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now,
		KeyUsages:   []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return Identity{}, fmt.Errorf("verifying a node's certificate: %w", err)
	}
	return IdentityOf(chain[0])
}

// pinned finds the authority with the given pin in what the peer sent.
func pinned(chain []*x509.Certificate, pin [sha256.Size]byte) (*x509.Certificate, error) {
	for _, cert := range chain {
		if cert.IsCA && Pin(cert) == pin {
			return cert, nil
		}
	}
	return nil, ErrWrongAuthority
}

// PeerOf answers the identity that the peer of a verified connection proved.
func PeerOf(state tls.ConnectionState) (Identity, error) {
	if len(state.PeerCertificates) == 0 {
		return Identity{}, ErrNotNode
	}
	return IdentityOf(state.PeerCertificates[0])
}
