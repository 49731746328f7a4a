package cluster

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// quickly has checkpoints signed often.
func quickly(cfg *Config) { cfg.Timing.Checkpoint = 20 * time.Millisecond }

// opened verifies a node's newest checkpoint with the keys that it publishes.
func (n *testNode) opened() (ledger.Checkpoint, error) {
	note, err := n.node.Checkpoint()
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	lines, err := n.node.VerifierKeys()
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	keys, err := ledger.ParseKeys(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	return keys.Open(note)
}

// covers is nil where a node has a checkpoint of all of its records.
func (n *testNode) covers() error {
	status := n.node.store.Status()
	c, err := n.opened()
	switch {
	case err != nil:
		return err
	case c.Size != status.LedgerSize:
		return fmt.Errorf("the checkpoint has %d records of %d", c.Size, status.LedgerSize)
	case c.Root != status.LedgerRoot:
		n.f.t.Fatalf("at %d records the checkpoint has root %v, the ledger %v", c.Size, c.Root, status.LedgerRoot)
	}
	return nil
}

// awaitCheckpoint waits until all running nodes show a checkpoint of all records.
func (f *fixture) awaitCheckpoint() {
	f.t.Helper()
	for _, n := range f.running() {
		f.await("a checkpoint at "+n.cfg.Name, n.covers)
	}
}

func (f *fixture) append(records int) {
	f.t.Helper()
	for range records {
		_, err := f.leader().transact(f.ctx(), nil)
		f.leader().ok(err, "Transact")
	}
}

func TestCheckpointsArePublished(t *testing.T) {
	f := newCluster(t, 3, quickly)
	f.append(3)
	f.awaitCheckpoint()
	first, err := f.leader().opened()
	f.leader().ok(err, "reading the checkpoint")

	f.follower().kill() // two of three are a majority
	f.append(300)
	f.awaitCheckpoint()
	second, err := f.leader().opened()
	f.leader().ok(err, "reading the checkpoint")
	proof, err := tlog.ProveTree(second.Size, first.Size, f.leader().node.Hashes())
	f.leader().ok(err, "proving that the ledger only grew")
	if err := tlog.CheckTree(proof, second.Size, second.Root, first.Size, first.Root); err != nil {
		t.Error(err)
	}

	for _, n := range f.nodes {
		if n.node == nil {
			n.open()
		}
	}
	f.leader().stop() // the next leader goes on
	f.append(1)
	f.awaitCheckpoint()
}

// TestNoMajorityNoCheckpoint: what a minority signs is not published.
func TestNoMajorityNoCheckpoint(t *testing.T) {
	f := newCluster(t, 3, quickly)
	f.awaitCheckpoint()
	leader := f.leader()
	status := leader.node.store.Status()
	epoch, origin, err := leader.node.ledgerName()
	leader.ok(err, "naming the ledger")
	q := &cosigning{Index: status.Applied, Epoch: epoch, Origin: origin, Size: status.LedgerSize, Root: status.LedgerRoot}
	if _, err := leader.node.collect(f.ctx(), q); err != nil {
		t.Fatalf("the true checkpoint: %v", err)
	}
	for name, change := range map[string]func(*cosigning){
		"another root":   func(q *cosigning) { q.Root[0] ^= 1 },
		"another origin": func(q *cosigning) { q.Origin += "x" },
		"another epoch":  func(q *cosigning) { q.Epoch++ },
		"a larger size":  func(q *cosigning) { q.Size += 1000 },
		"a smaller size": func(q *cosigning) { q.Size-- },
	} {
		changed := *q
		change(&changed)
		if note, err := leader.node.collect(f.ctx(), &changed); err == nil {
			t.Errorf("%s is signed:\n%s", name, note)
		}
	}
}

// awaitProblem waits until a node does not sign for a reason, or does for none.
func (n *testNode) awaitProblem(want error) {
	n.f.t.Helper()
	n.f.await("what keeps "+n.cfg.Name+" from signing", func() error {
		_, err := n.node.notary.state()
		if want == nil && err == nil || want != nil && errors.Is(err, want) {
			return nil
		}
		return fmt.Errorf("it says %v", err)
	})
}

// forge makes the note of a node's key for records that are not the ledger's.
func (n *testNode) forge(size int64) []byte {
	_, origin, err := n.node.ledgerName()
	n.ok(err, "naming the ledger")
	v := vow{0, ledger.Checkpoint{Origin: origin, Size: size, Root: tlog.Hash{1}}}
	note, err := ledger.Sign(v.Checkpoint, n.cfg.Name, n.partition.Notary(), time.Now())
	n.ok(err, "signing")
	return v.marshal(note)
}

// TestForkIsNotSigned: the node remembers a ledger that went another way, in its
// data directory or its partition, as after the restore of an old backup.
func TestForkIsNotSigned(t *testing.T) {
	for _, place := range []string{"data directory", "partition"} {
		t.Run(place, func(t *testing.T) {
			f := newCluster(t, 3, quickly)
			f.append(5)
			f.awaitCheckpoint()
			n := f.follower()
			other := n.forge(n.node.store.Status().LedgerSize + 2)
			file := n.node.home.checkpointFile()
			n.stop()
			if place == "partition" {
				n.ok(os.Remove(file), "removing the file")
				n.ok(n.partition.Remember(f.ctx(), other), "Remember")
			} else {
				n.ok(os.WriteFile(file, other, 0o600), "writing the file")
			}
			n.open()
			f.await("the node to be ready", n.node.Ready)
			f.append(5)
			n.awaitProblem(ErrFork)
			f.awaitCheckpoint() // by the two others

			event := f.event()
			n.ok(n.node.DeclareEpoch(f.ctx(), event), "DeclareEpoch")
			f.note(event, nil)
			n.awaitProblem(nil)
			f.awaitCheckpoint()
			c, err := n.opened()
			n.ok(err, "reading the checkpoint")
			if !strings.HasSuffix(c.Origin, "/epoch-1") {
				t.Errorf("the origin is %q", c.Origin)
			}
		})
	}
}

func TestDamagedCheckpointFile(t *testing.T) {
	f := newCluster(t, 3, quickly)
	f.append(2)
	f.awaitCheckpoint()
	n := f.follower()
	file := n.node.home.checkpointFile()
	n.stop()
	good, err := os.ReadFile(file)
	n.ok(err, "reading the file")
	y := &notary{node: n.cfg.Name, key: n.partition.Notary()}
	want, err := y.parse(good)
	n.ok(err, "parsing the file")
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 4
		// The last bits of base64 say nothing.
		if v, err := y.parse(bad); err == nil && v != want {
			t.Errorf("a change of byte %d of %d goes unnoticed: %+v", at, len(good), v)
		}
	}
	n.ok(os.WriteFile(file, good[:len(good)-3], 0o600), "writing the file")
	n.open()
	n.awaitProblem(ErrDamaged)
	f.append(2)
	f.awaitCheckpoint() // by the two others
}

// forgetful is a partition's memory that keeps nothing.
type forgetful struct{}

func (forgetful) Remember(context.Context, []byte) error { return nil }
func (forgetful) Recall(context.Context) ([]byte, error) { return nil, nil }

// TestReadErrorIsNoVerdict: a tree that cannot be read once does not keep the
// node from signing for good.
func TestReadErrorIsNoVerdict(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	y := &notary{node: "node-1", key: key, memory: forgetful{}, file: filepath.Join(t.TempDir(), "checkpoint"), now: time.Now}
	leaf := tlog.RecordHash([]byte("record"))
	tree := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return slices.Repeat([]tlog.Hash{leaf}, len(indexes)), nil })
	broken := tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return nil, errors.New("the disk fails") })
	v := vow{0, ledger.Checkpoint{Origin: "cofre/test", Size: 1, Root: leaf}}
	for _, hashes := range []tlog.HashReader{tree, broken, tree} {
		_, err := y.sign(t.Context(), v, hashes)
		if _, fails := hashes.ReadHashes([]int64{0}); (err != nil) != (fails != nil) {
			t.Errorf("signing: %v, reading the tree: %v", err, fails)
		}
	}
}

// TestRemovedMembersHaveNoVoice: the keys of the members that are left make the
// majority.
func TestRemovedMembersHaveNoVoice(t *testing.T) {
	f := newCluster(t, 3, quickly)
	keys := func(want int) {
		f.await("the keys of the members", func() error {
			lines, err := f.leader().node.VerifierKeys()
			if err == nil && len(lines) != want {
				err = fmt.Errorf("%d keys, want %d", len(lines), want)
			}
			return err
		})
	}
	keys(6)
	gone := f.follower()
	gone.kill()
	event := f.event()
	f.leader().ok(f.leader().node.Remove(f.ctx(), gone.cfg.Name, event), "Remove")
	f.note(event, nil)
	keys(4)
	f.append(1)
	f.awaitCheckpoint()
}
