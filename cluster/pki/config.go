package pki

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Endpoint is one node's side of the node port. It is safe for concurrent use.
type Endpoint struct {
	// Authority is the cluster's.
	Authority *x509.Certificate
	// Certificate answers the node's current certificate with its chain.
	Certificate func() *tls.Certificate
	// Allow refuses peers whose certificate is good but who are not welcome.
	Allow func(Identity) error
	// Now tells the time.
	Now func() time.Time
}

// Server is the TLS configuration of the listener: mutual TLS 1.3, but for
// joining nodes, which have no certificate and get no other protocol.
func (e *Endpoint) Server() *tls.Config {
	mutual := e.base([]string{ProtocolRaft, ProtocolNode})
	mutual.ClientAuth = tls.RequireAnyClientCert // VerifyConnection verifies it
	mutual.VerifyConnection = func(state tls.ConnectionState) error {
		if state.NegotiatedProtocol == "" {
			return errors.New("pki: the client names no protocol")
		}
		peer, err := verifyNode(e.Authority, state.PeerCertificates, x509.ExtKeyUsageClientAuth, e.Now())
		if err != nil {
			return err
		}
		return e.Allow(peer)
	}
	joining := e.base([]string{ProtocolJoin})
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if slices.Equal(hello.SupportedProtos, []string{ProtocolJoin}) {
				return joining, nil
			}
			return mutual, nil
		},
	}
}

// Client is the TLS configuration for a call to a node by name, "" where any
// node of the cluster will do.
func (e *Endpoint) Client(protocol, name string) *tls.Config {
	config := e.base([]string{protocol})
	config.InsecureSkipVerify = true // names are URIs, so VerifyConnection verifies
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if state.NegotiatedProtocol != protocol {
			return fmt.Errorf("pki: the server does not speak %s", protocol)
		}
		peer, err := verifyNode(e.Authority, state.PeerCertificates, x509.ExtKeyUsageServerAuth, e.Now())
		if err != nil {
			return err
		}
		if name != "" && peer.Name != name {
			return fmt.Errorf("%w: %s answers instead of %s", ErrWrongNode, peer.Name, name)
		}
		return e.Allow(peer)
	}
	return config
}

func (e *Endpoint) base(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		Time:       e.Now,
		// Sessions are not resumed: a resumed one would not be verified again.
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return e.Certificate(), nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return e.Certificate(), nil
		},
	}
}

// JoinClient is the TLS configuration of a node that has no certificate yet and
// knows no more of the cluster than its authority's pin.
func JoinClient(pin [sha256.Size]byte, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{ProtocolJoin},
		Time:               now,
		InsecureSkipVerify: true, // the pin is verified below
		VerifyConnection: func(state tls.ConnectionState) error {
			authority, err := pinned(state.PeerCertificates, pin)
			if err != nil {
				return err
			}
			_, err = verifyNode(authority, state.PeerCertificates, x509.ExtKeyUsageServerAuth, now())
			return err
		},
	}
}
