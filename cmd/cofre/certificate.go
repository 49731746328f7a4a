package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/internal/config"
)

// issuer makes certificates; *cluster.Node is one.
type issuer interface {
	ServerCertificate(ctx context.Context, hosts []string) (*tls.Certificate, error)
}

// certificate is the API port's certificate at the moment.
type certificate struct {
	current atomic.Pointer[tls.Certificate]
	logger  hclog.Logger
}

var errNoCertificate = errors.New("the node has no certificate for its API port yet")

// get answers the certificate for a handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := c.current.Load(); current != nil {
		return current, nil
	}
	return nil, errNoCertificate
}

// certified is the node as the front end sees it: it is not ready before clients
// can connect.
type certified struct {
	*cluster.Node
	certificate *certificate
}

// Ready is nil where the node can serve.
func (c certified) Ready() error {
	if _, err := c.certificate.get(nil); err != nil {
		return err
	}
	return c.Node.Ready()
}

// load reads a certificate of another CA.
func (c *certificate) load(api config.API) error {
	pair, err := tls.LoadX509KeyPair(api.CertFile, api.KeyFile)
	if err != nil {
		return fmt.Errorf("reading api.cert_file and api.key_file: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

// When the cluster's CA is asked: again after a failure (a node that has just
// joined has no state to issue from), and when a third of a certificate's life
// is left.
const (
	issueAgain = 250 * time.Millisecond
	issueLimit = 10 * time.Second
)

// keep has the cluster's CA issue the certificate and renews it until ctx is
// done.
func (c *certificate) keep(ctx context.Context, from issuer, hosts []string) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
			wait.Reset(c.issue(ctx, from, hosts))
		}
	}
}

// issue answers after how long the next certificate is needed.
func (c *certificate) issue(ctx context.Context, from issuer, hosts []string) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, issueLimit)
	defer cancel()
	issued, err := from.ServerCertificate(ctx, hosts)
	if err != nil {
		c.logger.Debug("no certificate for the API port yet", "error", err)
		return issueAgain
	}
	c.current.Store(issued)
	c.logger.Info("certificate for the API port issued", "hosts", hosts, "expires", issued.Leaf.NotAfter)
	return time.Until(issued.Leaf.NotAfter) * 2 / 3
}
