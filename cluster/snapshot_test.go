package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
)

// compacting makes a cluster whose log is compacted all the time.
func compacting(edit func(*Config)) func(*Config) {
	return func(c *Config) {
		edit(c)
		c.Timing.Snapshot = 10 * time.Millisecond
		c.Limits.SnapshotEntries = 20
		c.Limits.TrailingEntries = 5
	}
}

// outrun commits until the log begins after an index on every running node.
func (f *fixture) outrun(index uint64) {
	f.t.Helper()
	f.await("the log to be compacted", func() error {
		if _, err := f.leader().transact(f.ctx(), increase("n")); err != nil {
			return err
		}
		for _, n := range f.running() {
			first, err := n.node.stores.Logs.FirstIndex()
			if err != nil || first <= index {
				return fmt.Errorf("%s: the log begins at %d, wanted after %d (%v)", n.cfg.Name, first, index, err)
			}
		}
		return nil
	})
}

// TestInstall: a node that is new, or that was away for longer than the log goes
// back, is installed from a snapshot; what it applied before gives way.
func TestInstall(t *testing.T) {
	eachLogStore(t, func(t *testing.T, edit func(*Config)) {
		f := newCluster(t, 2, compacting(edit))
		f.outrun(10)
		late := f.join() // it has nothing, and the log does not go back to the beginning
		f.await("the new node to vote", func() error { return late.node.Ready() })
		if _, err := late.transact(f.ctx(), increase("n")); err != nil {
			t.Fatal(err)
		}
		last := late.node.View().Applied()
		late.stop()
		f.outrun(last)
		late.open()
		f.await("the node that was away", func() error { return late.node.Ready() })
		if _, err := late.transact(f.ctx(), increase("n")); err != nil {
			t.Fatal(err)
		}
		// What was installed survives, and so does a start from a compacted log.
		late.kill()
		late.open()
		f.await("the node that was killed", func() error { return late.node.Ready() })
	})
}

// TestCrashBeforeInstall: a snapshot that was received and not installed when the
// node died is installed by the next start.
func TestCrashBeforeInstall(t *testing.T) {
	f := newCluster(t, 1, compacting(func(*Config) {}))
	n := f.nodes[0]
	f.outrun(10)
	n.stop()
	list, err := n.snapshots()
	n.ok(err, "List")
	if len(list) == 0 {
		t.Fatal("no snapshot")
	}
	// The state is lost, as if the snapshot had come from a leader and the crash
	// before its installation.
	n.ok(n.cfg.removeState(), "RemoveAll")
	n.open()
	if got := n.node.View().Applied(); got < list[0] {
		t.Errorf("the state is at %d, the snapshot at %d", got, list[0])
	}
	if _, err := n.transact(f.ctx(), func(*fsm.Txn) error { return nil }); err != nil {
		t.Error(err)
	}
}

// snapshots lists the indexes of a stopped node's snapshots.
func (n *testNode) snapshots() ([]uint64, error) {
	store, err := snapshot.Open(vfs.Default, home{n.cfg.DataDir}.snapshots(), n.cfg.Logger)
	if err != nil {
		return nil, err
	}
	list, err := store.List()
	var indexes []uint64
	for _, m := range list {
		indexes = append(indexes, m.Index)
	}
	return indexes, err
}

func (c Config) removeState() error { return os.RemoveAll(home{c.DataDir}.state()) }
