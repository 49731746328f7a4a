package cluster

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// maxJoining bounds the connections of the join protocol. Strangers open them:
// they are not to take the files that Raft's connections need.
const maxJoining = 16

// serveJoin answers a node that wants to join.
func (n *Node) serveJoin(ctx context.Context, conn net.Conn, _ tls.ConnectionState) {
	defer conn.Close()
	select {
	case n.joining <- struct{}{}:
		defer func() { <-n.joining }()
	default:
		n.logger.Debug("too many nodes want to join at once", "remote", conn.RemoteAddr().String())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if err := conn.SetDeadline(time.Now().Add(joinTimeout)); err != nil {
		return
	}
	req := new(joinRequest)
	if err := receiveJoin(conn, req); err != nil {
		n.logger.Debug("refused a join request", "error", err)
		return
	}
	answer, err := n.admit(ctx, req)
	if err != nil {
		n.logger.Warn("refused a join request", "name", req.Name, "remote", conn.RemoteAddr().String(), "error", err)
		answer = refusal(err)
	} else {
		n.logger.Info("admitted a node", "name", req.Name)
	}
	if err := sendJoin(conn, answer); err != nil {
		n.logger.Warn("cannot answer a join request", "error", err)
	}
}

// admit makes the sender of a request a member. The same partition may ask
// again with the same token, after an answer that was lost.
func (n *Node) admit(ctx context.Context, req *joinRequest) (*joinAnswer, error) {
	select { // strangers get here, so one at a time
	case n.admitting <- struct{}{}:
		defer func() { <-n.admitting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	spender := sha256.Sum256(req.Identity)
	ticket, err := n.ticket(ctx, req.Token)
	if err != nil {
		return nil, err
	}
	// The transaction checks again. This keeps strangers away from the HSM.
	if err := ticket.check(req.Secret, spender, time.Now()); err != nil {
		return nil, err
	}
	if err := req.verify(); err != nil {
		return nil, err
	}
	if !pki.ValidName(req.Name) {
		return nil, fmt.Errorf("cluster: %q cannot be a node's name", req.Name)
	}
	domains, err := exportDomains(ctx, n.cfg.Partition, req.Transport, req.Domains)
	if err != nil {
		return nil, err
	}
	m, err := n.enter(ctx, req, spender)
	if err != nil {
		return nil, err
	}
	return n.welcome(ctx, req, m, domains)
}

// ticket looks a token up, nil where it is unknown.
func (n *Node) ticket(ctx context.Context, id string) (*ticket, error) {
	found, _, err := ticketTable.Peek(n.store, id)
	if err == nil && found == nil {
		if err := n.Sync(ctx); err != nil { // it may be younger than this node's state
			return nil, err
		}
		found, _, err = ticketTable.Peek(n.store, id)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up a join token: %w", err)
	}
	return found, nil
}

// enter spends the token and writes the member's record, at one instant.
func (n *Node) enter(ctx context.Context, req *joinRequest, spender [sha256.Size]byte) (member, error) {
	identity, err := x509.ParsePKIXPublicKey(req.Identity)
	if err != nil {
		return member{}, fmt.Errorf("reading a joining node's identity key: %w", err)
	}
	fresh, err := newMember(req.Name, req.Serial, identity)
	if err != nil {
		return member{}, err
	}
	fresh.Level, fresh.Lowest = req.Level, req.Lowest
	if err := n.Sync(ctx); err != nil { // refusals are not committed: a node that is behind must not make them up
		return member{}, err
	}
	var entered member
	_, err = n.Transact(ctx, "", func(tx *fsm.Txn) error {
		entered = fresh
		// A level that is raised at the same time conflicts.
		level, err := levelOf(tx)
		if err != nil {
			return err
		}
		if err := fresh.levels().fit(level); err != nil {
			return err
		}
		ticket, err := ticketTable.Get(tx, req.Token)
		if err != nil {
			return err
		}
		if err := ticket.check(req.Secret, spender, time.Now()); err != nil {
			return err
		}
		present, err := memberTable.Get(tx, req.Name)
		if err != nil {
			return err
		}
		if present != nil && !present.Gone {
			if ticket.Spent == nil || ticket.Member != present.ID {
				return fmt.Errorf("%w: %s", ErrNameTaken, req.Name)
			}
			entered = *present // an earlier attempt of the same partition
			return nil
		}
		if ticket.Spent != nil {
			return fmt.Errorf("%w: it is spent", ErrToken) // under another name
		}
		if present != nil {
			if err := fresh.succeed(present); err != nil {
				return err
			}
			entered = fresh
		}
		spent := *ticket
		spent.Spent, spent.Member = spender[:], fresh.ID
		if err := ticketTable.Put(tx, &spent, req.Token); err != nil {
			return err
		}
		return memberTable.Put(tx, &fresh, fresh.Name)
	})
	return entered, err
}

// welcome makes the answer for a member.
func (n *Node) welcome(ctx context.Context, req *joinRequest, m member, domains map[hsm.Generation][]byte) (*joinAnswer, error) {
	authority, err := authorityOf(ctx, n.store, n.HSM())
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(req.Key)
	if err != nil {
		return nil, fmt.Errorf("reading a joining node's TLS key: %w", err)
	}
	cert, err := authority.Node(key, pki.Identity{Name: m.Name, Member: m.ID}, time.Now())
	if err != nil {
		return nil, err
	}
	return &joinAnswer{
		Member:      m.ID,
		Certificate: cert.Raw,
		Authority:   authority.Certificate.Raw,
		Domains:     domains,
		Peers:       n.addresses(),
	}, nil
}

// exportDomains wraps the domain keys that a joining partition lacks to its
// transport key. One that it holds already, cloned by the vendor's means, needs
// no transfer; another key under the same generation cannot be right.
func exportDomains(ctx context.Context, partition hsm.Partition, transport []byte,
	held map[hsm.Generation]string) (map[hsm.Generation][]byte, error) {
	own, err := partition.Generations(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing domain keys: %w", err)
	}
	wrapped := make(map[hsm.Generation][]byte)
	for g, check := range own {
		theirs, present := held[g]
		switch {
		case present && theirs != check:
			return nil, fmt.Errorf("%w: generation %d", ErrForeignDomain, g)
		case present:
			continue
		}
		if wrapped[g], err = partition.ExportDomain(ctx, g, transport); err != nil {
			return nil, fmt.Errorf("exporting domain key %d: %w", g, err)
		}
	}
	for g := range held {
		if _, ours := own[g]; !ours {
			return nil, fmt.Errorf("%w: generation %d", ErrForeignDomain, g)
		}
	}
	return wrapped, nil
}

// importDomains puts what exportDomains wrapped into a partition.
func importDomains(ctx context.Context, partition hsm.Partition, wrapped map[hsm.Generation][]byte) error {
	for g, blob := range wrapped {
		err := partition.ImportDomain(ctx, g, blob)
		if errors.Is(err, hsm.ErrExists) {
			return fmt.Errorf("%w: generation %d: %w", ErrForeignDomain, g, err)
		}
		if err != nil {
			return fmt.Errorf("importing domain key %d: %w", g, err)
		}
	}
	return nil
}
