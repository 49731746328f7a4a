package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
)

// Join makes this node a member of the cluster that issued the token: it gets a
// certificate, the CA's certificate, the peers and, into the partition, the
// domain keys. The node takes part once it is opened. It fails where the data
// directory holds a node already. The token is spent by a success; after a
// failure half way, the same partition can use it again.
func Join(ctx context.Context, cfg Config, text string) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	t, err := decodeToken(text)
	if err != nil {
		return err
	}
	h := home{cfg.DataDir}
	if err := h.claim(cfg); err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	key, err := pki.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	req, err := newJoinRequest(ctx, cfg, t, key)
	if err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	answer, err := askToJoin(ctx, cfg, t, req)
	if err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	if err := settle(ctx, cfg, h, t, key, answer); err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	return nil
}

func newJoinRequest(ctx context.Context, cfg Config, t *token, key *ecdsa.PrivateKey) (*joinRequest, error) {
	transport, err := cfg.Partition.TransportKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the transport key: %w", err)
	}
	held, err := cfg.Partition.Generations(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing domain keys: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding a TLS key: %w", err)
	}
	identity, err := x509.MarshalPKIXPublicKey(cfg.Partition.Identity().Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the identity key: %w", err)
	}
	req := &joinRequest{
		Token:     t.ID,
		Secret:    t.Secret,
		Name:      cfg.Name,
		Key:       public,
		Identity:  identity,
		Serial:    cfg.Partition.Info().Serial,
		Transport: transport,
		Domains:   held,
		Level:     cfg.levels.highest,
		Lowest:    cfg.levels.lowest,
	}
	return req, req.sign(cfg.Partition.Identity())
}

// askToJoin asks the nodes of the token one after the other, until one answers
// for good or ctx is done.
func askToJoin(ctx context.Context, cfg Config, t *token, req *joinRequest) (*joinAnswer, error) {
	var errs []error
	for _, address := range t.Addresses {
		answer, err := askNode(ctx, cfg.Network, address, t, req)
		if err == nil {
			err = answer.refused()
		}
		if err == nil {
			return answer, nil
		}
		for _, final := range joinProblems {
			if errors.Is(err, final) {
				return nil, err
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return nil, errors.Join(errs...)
}

func askNode(ctx context.Context, network Network, address string, t *token, req *joinRequest) (*joinAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	raw, err := network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, pki.JoinClient(t.Pin, time.Now))
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if err := sendJoin(conn, req); err != nil {
		return nil, err
	}
	answer := new(joinAnswer)
	return answer, receiveJoin(conn, answer)
}

// settle puts the answer in its places. The node file comes last: it says that
// the rest is there.
func settle(ctx context.Context, cfg Config, h home, t *token, key *ecdsa.PrivateKey, answer *joinAnswer) error {
	authority, err := x509.ParseCertificate(answer.Authority)
	if err != nil {
		return fmt.Errorf("reading the cluster CA's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(answer.Certificate)
	if err != nil {
		return fmt.Errorf("reading the node's certificate: %w", err)
	}
	if pki.Pin(authority) != t.Pin {
		return pki.ErrWrongAuthority
	}
	if id, err := pki.IdentityOf(cert); err != nil || id.Name != cfg.Name || !pki.Matches(cert, key) {
		return errors.Join(errors.New("cluster: the certificate is not for this node"), err)
	}
	if err := importDomains(ctx, cfg.Partition, answer.Domains); err != nil {
		return err
	}
	if err := errors.Join(saveAuthority(h.tls(), authority), savePair(h.tls(), cert, key)); err != nil {
		return err
	}
	return h.save(who{Name: cfg.Name, Member: answer.Member, LogStore: cfg.LogStore, Peers: answer.Peers})
}
