package cluster

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// keySigner is a crypto.Signer over a wrapped key: the HSM partition signs.
type keySigner struct {
	ctx    context.Context
	keys   hsm.Keys
	key    hsm.WrappedKey
	public crypto.PublicKey
}

func newKeySigner(ctx context.Context, keys hsm.Keys, key hsm.WrappedKey) (*keySigner, error) {
	public, err := x509.ParsePKIXPublicKey(key.Public)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster CA's public key: %w", err)
	}
	return &keySigner{ctx: ctx, keys: keys, key: key, public: public}, nil
}

// Public implements crypto.Signer.
func (s *keySigner) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer for SHA-256 digests.
func (s *keySigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("cluster: the CA signs SHA-256 digests only")
	}
	return s.keys.Sign(s.ctx, s.key, hsm.ECDSASHA256, digest)
}

// authorityOf answers the cluster's authority, from the state that view shows.
// Every node can sign: the CA's key is wrapped under the domain key.
func authorityOf(ctx context.Context, view fsm.View, keys hsm.Keys) (*pki.Authority, error) {
	s, _, err := settingsTable.Peek(view, theCluster)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster CA: %w", err)
	}
	if s == nil {
		return nil, errors.New("cluster: this node has no state yet")
	}
	cert, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster CA's certificate: %w", err)
	}
	signer, err := newKeySigner(ctx, keys, s.Key)
	if err != nil {
		return nil, err
	}
	return &pki.Authority{Certificate: cert, Signer: signer, Random: rand.Reader}, nil
}

// ServerCertificate issues a certificate of the cluster's CA for hosts (names
// and IP addresses), valid for 90 days, with a new key in memory.
func (n *Node) ServerCertificate(ctx context.Context, hosts []string) (*tls.Certificate, error) {
	authority, err := authorityOf(ctx, n.store, n.HSM())
	if err != nil {
		return nil, err
	}
	key, err := pki.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := authority.Server(key.Public(), hosts, time.Now())
	if err != nil {
		return nil, err
	}
	return pki.Pair(cert, key, authority.Certificate), nil
}

// renew has this node's certificate issued again, by a partition that holds the
// domain key.
func (n *Node) renew(ctx context.Context, keys hsm.Keys) error {
	authority, err := authorityOf(ctx, n.store, keys)
	if err != nil {
		return err
	}
	key, err := pki.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	cert, err := authority.Node(key.Public(), pki.Identity{Name: n.who.Name, Member: n.who.Member}, time.Now())
	if err != nil {
		return err
	}
	if err := n.credentials.replace(cert, key); err != nil {
		return fmt.Errorf("renewing the node's certificate: %w", err)
	}
	n.logger.Info("renewed the node's certificate", "expires", cert.NotAfter)
	return nil
}

// keepCertificate renews the certificate in time.
func (n *Node) keepCertificate() {
	every(n.ctx, time.Hour, nil, func() {
		if !n.credentials.due(time.Now()) {
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
		defer cancel()
		if err := n.renew(ctx, n.HSM()); err != nil {
			n.logger.Error("cannot renew the node's certificate", "error", err)
		}
	})
}

// every runs a function at an interval, and when kick has a value, until ctx is
// done.
func every(ctx context.Context, interval time.Duration, kick <-chan struct{}, run func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-kick:
		case <-ctx.Done():
			return
		}
		run()
	}
}
