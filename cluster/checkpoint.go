package cluster

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
)

// publish has checkpoints signed and publishes them while this node leads and
// records come.
func (n *Node) publish() {
	every(n.ctx, n.cfg.Timing.Checkpoint, nil, func() {
		if leading, _ := n.leadership.leading(); !leading || n.fate.check() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, enrollTimeout)
		defer cancel()
		if err := n.publishNext(ctx); err != nil && n.ctx.Err() == nil {
			n.logger.Warn("no new checkpoint of the ledger", "error", err)
		}
	})
}

// publishNext publishes a checkpoint of this node's ledger, unless the newest one
// covers it. A majority of the voters must sign it.
func (n *Node) publishNext(ctx context.Context) error {
	own := n.store.Status()
	epoch, origin, err := n.ledgerName()
	if err != nil {
		return err
	}
	if own.LedgerSize == 0 || n.covered(origin, own.LedgerSize) {
		return nil
	}
	q := &cosigning{Index: own.Applied, Epoch: epoch, Origin: origin, Size: own.LedgerSize, Root: own.LedgerRoot}
	note, err := n.collect(ctx, q)
	if err != nil {
		return err
	}
	_, err = n.Transact(ctx, "", func(tx *fsm.Txn) error {
		last, err := publishedTable.Get(tx, theLedger)
		if err != nil || last != nil && last.Origin == origin && last.Size > q.Size {
			return err
		}
		return publishedTable.Put(tx, &published{Origin: origin, Size: q.Size, Note: note}, theLedger)
	})
	return err
}

// covered says whether the published checkpoint covers a size and convinces
// those who know the keys of the present members: who grows a cluster gives it
// new ones.
func (n *Node) covered(origin string, size int64) bool {
	last, _, err := publishedTable.Peek(n.store, theLedger)
	if err != nil || last == nil || last.Origin != origin || last.Size < size {
		return false
	}
	lines, err := n.VerifierKeys()
	if err != nil {
		return false
	}
	keys, err := ledger.ParseKeys(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return false
	}
	_, err = keys.Open(last.Note)
	return err == nil
}

// straggling is how long voters have that have not signed when a majority has.
const straggling = 100 * time.Millisecond

// collect has the voters sign, this node among them. It answers the note with
// the signatures of a majority or more.
func (n *Node) collect(ctx context.Context, q *cosigning) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Watch)
	defer cancel()
	type answer struct {
		note []byte
		err  error
	}
	voters := n.voterNames()
	answers := make(chan answer, len(voters))
	var asking sync.WaitGroup
	for _, name := range voters {
		asking.Go(func() {
			note, err := n.signatureOf(ctx, name, q)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			answers <- answer{note, err}
		})
	}
	var notes [][]byte
	var refusals []error
	var late <-chan time.Time
	for len(notes)+len(refusals) < len(voters) {
		select {
		case a := <-answers:
			if a.err != nil {
				refusals = append(refusals, a.err)
			} else if notes = append(notes, a.note); len(notes) == len(voters)/2+1 {
				late = time.After(straggling)
			}
			continue
		case <-late:
		}
		break
	}
	cancel()
	asking.Wait()
	if len(notes) <= len(voters)/2 {
		return nil, fmt.Errorf("cluster: %d of %d voters signed: %w", len(notes), len(voters), errors.Join(refusals...))
	}
	return ledger.Merge(notes...)
}

// signatureOf has a member sign, and verifies that it did.
func (n *Node) signatureOf(ctx context.Context, name string, q *cosigning) ([]byte, error) {
	var answer *cosigned
	var err error
	if name == n.who.Name {
		answer, err = n.cosign(ctx, pki.Identity{}, q)
	} else {
		answer, err = call[cosigned](ctx, n.peers.client(peerKey{name: name}), methodCosign, q)
	}
	if err != nil {
		return nil, err
	}
	lines, err := n.keysOf(name, q.Origin)
	if err != nil {
		return nil, err
	}
	keys, err := ledger.ParseKeys(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, fmt.Errorf("cluster: no key is known: %w", err)
	}
	c, err := keys.Open(answer.Note)
	if err == nil && (c != ledger.Checkpoint{Origin: q.Origin, Size: q.Size, Root: q.Root}) {
		err = errors.New("cluster: it signed another checkpoint")
	}
	return answer.Note, err
}

// keysOf are the verifier keys of a member, none where it has none.
func (n *Node) keysOf(name, origin string) ([]string, error) {
	v, _, err := voiceTable.Peek(n.store, name)
	if err != nil {
		return nil, fmt.Errorf("reading a member's key for checkpoints: %w", err)
	}
	if v == nil {
		return nil, nil
	}
	return []string{ledger.LogKey(origin, v.Public), ledger.CosignerKey(origin, name, v.Public)}, nil
}

// ledgerName answers the ledger's epoch and its name, which is the origin of its
// checkpoints: it names the cluster by its CA's key.
func (n *Node) ledgerName() (epoch uint32, origin string, err error) {
	s, _, err := settingsTable.Peek(n.store, theCluster)
	if err != nil {
		return 0, "", fmt.Errorf("reading the cluster's settings: %w", err)
	}
	if s == nil {
		return 0, "", errors.New("cluster: this node has no state yet")
	}
	authority, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return 0, "", fmt.Errorf("reading the cluster CA's certificate: %w", err)
	}
	sum := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	return s.Epoch, "cofre/" + hex.EncodeToString(sum[:16]) + epochName(s.Epoch), nil
}

// epochName ends the name of a ledger.
func epochName(epoch uint32) string {
	if epoch == 0 {
		return ""
	}
	return fmt.Sprintf("/epoch-%d", epoch)
}

func (n *Node) ledgerStatus() Ledger {
	var s Ledger
	_, s.Origin, _ = n.ledgerName() // "" where the node has no state
	if last, _, err := publishedTable.Peek(n.store, theLedger); err == nil && last != nil {
		s.Checkpoint = last.Size
	}
	if n.notary == nil {
		s.Problem = "the partition has no Ed25519"
		return s
	}
	signed, err := n.notary.state()
	s.Signed = signed
	if err != nil {
		s.Problem = err.Error()
	}
	return s
}

// Checkpoint is the newest published checkpoint of the ledger: a note (C2SP
// tlog-checkpoint) that a majority of the voters has signed. It answers
// ErrNoCheckpoint where there is none yet.
func (n *Node) Checkpoint() ([]byte, error) {
	last, _, err := publishedTable.Peek(n.store, theLedger)
	if err != nil {
		return nil, fmt.Errorf("reading the published checkpoint: %w", err)
	}
	if last == nil {
		return nil, ErrNoCheckpoint
	}
	return last.Note, nil
}

// Hashes reads the hashes of this node's ledger.
func (n *Node) Hashes() tlog.HashReader { return n.store }

// Records reads this node's ledger.
func (n *Node) Records() Records { return n.store }

// Records are the records of a node's ledger; see fsm.Store.
type Records interface {
	Event(position int64) ([]byte, error)
	Events(from int64, fn func(position int64, event []byte) (more bool, err error)) error
	Status() fsm.Status
}

// VerifierKeys are the verifier keys (C2SP signed-note) of the members: of each
// one in the ledger's name, and one that cosigns.
func (n *Node) VerifierKeys() ([]string, error) {
	_, origin, err := n.ledgerName()
	if err != nil {
		return nil, err
	}
	var lines []string
	err = memberTable.Scan(n.store, nil, nil, func(_ []string, m *member) (bool, error) {
		if m.Removed != 0 {
			return true, nil
		}
		own, err := n.keysOf(m.Name, origin)
		lines = append(lines, own...)
		return true, err
	})
	return lines, err
}

// keepVoice makes sure that the cluster knows this node's key for checkpoints.
func (n *Node) keepVoice() {
	if n.notary == nil {
		return
	}
	done, stop := context.WithCancel(n.ctx)
	defer stop()
	every(done, n.cfg.Timing.Watch, nil, func() {
		ctx, cancel := context.WithTimeout(n.ctx, enrollTimeout)
		defer cancel()
		if err := n.registerVoice(ctx); err != nil {
			n.logger.Debug("this node's key for checkpoints is not registered yet", "error", err)
			return
		}
		stop()
	})
}

// registerVoice writes this node's key, where it is another than the one that
// the cluster knows.
func (n *Node) registerVoice(ctx context.Context) error {
	if err := n.Ready(); err != nil {
		return err // what it would read may be old
	}
	_, origin, err := n.ledgerName()
	if err != nil {
		return err
	}
	public := n.notary.public()
	if known, _, err := voiceTable.Peek(n.store, n.who.Name); err != nil || known.is(n.who.Member, public) {
		return err
	}
	var event []byte
	if n.cfg.KeyEvent != nil {
		if event, err = n.cfg.KeyEvent(n.store, n.who.Name, ledger.CosignerKey(origin, n.who.Name, public)); err != nil {
			return err
		}
	}
	_, err = n.Transact(ctx, "", func(tx *fsm.Txn) error {
		known, err := voiceTable.Get(tx, n.who.Name)
		if err != nil || known.is(n.who.Member, public) {
			return err
		}
		if event != nil {
			tx.SetEvent(event)
		}
		return voiceTable.Put(tx, &voice{Member: n.who.Member, Public: public, Since: n.notary.now().UnixMilli()}, n.who.Name)
	})
	return err
}

// is says whether a record, nil where there is none, is of a member's key.
func (v *voice) is(member string, public []byte) bool {
	return v != nil && v.Member == member && string(v.Public) == string(public)
}

// DeclareEpoch begins a new epoch of the ledger, under a name of its own, after
// its history was put back: nodes that have signed more than it holds sign again.
// The event is the ledger record of the act.
func (n *Node) DeclareEpoch(ctx context.Context, event []byte) error {
	_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
		s, err := settingsTable.Get(tx, theCluster)
		if err != nil {
			return err
		}
		if s == nil {
			return errors.New("cluster: this node has no state yet")
		}
		next := *s
		next.Epoch++
		tx.SetEvent(event)
		return settingsTable.Put(tx, &next, theCluster)
	})
	if err != nil {
		return fmt.Errorf("declaring an epoch of the ledger: %w", err)
	}
	return nil
}
