package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
)

// flips is how many bits are flipped in a file, one after the other: more in
// Raft's, which have no checksums but ours.
func flips(file string) int {
	if strings.HasPrefix(file, "raft/stable") || strings.HasPrefix(file, "raft/wal") {
		return 20
	}
	return 4
}

// TestRotIsNoticed flips bits in each file of a node that is down. The node finds
// the change and names the file, or what it knows is what it knew.
func TestRotIsNoticed(t *testing.T) {
	for _, kind := range []string{LogStoreBoltDB, LogStoreWAL} {
		t.Run(kind, func(t *testing.T) {
			n := newRestingNode(t, kind)
			want, err := inspect(n.copied(t))
			if err != nil {
				t.Fatal(err)
			}
			files := filesOf(t, n.cfg.DataDir)
			if len(files) < 10 {
				t.Fatalf("there is nothing but %v", files)
			}
			r := rand.New(rand.NewPCG(1, 0))
			for _, file := range files {
				noticed := 0
				for range flips(file) {
					noticed += n.rots(t, r, file, want)
				}
				t.Logf("%s: %d of %d changes noticed", file, noticed, flips(file))
			}
		})
	}
}

// newRestingNode is a node with a log, a vote and a snapshot, that is down.
func newRestingNode(t *testing.T, kind string) *testNode {
	f := newCluster(t, 1, func(c *Config) {
		c.LogStore = kind
		c.Limits.SnapshotEntries, c.Limits.TrailingEntries = 16, 8
		c.Timing.Snapshot = 10 * time.Millisecond
	})
	n := f.nodes[0]
	f.await("a snapshot", func() error {
		if _, err := n.transact(f.ctx(), func(tx *fsm.Txn) error {
			tx.Put(fsm.NewKey("t", "record"), fmt.Appendf(nil, "value %d", f.next.Load()))
			return nil
		}); err != nil {
			return err
		}
		list, err := n.node.snapshots.List()
		if err == nil && len(list) == 0 {
			err = errors.New("none yet")
		}
		return err
	})
	for range 5 {
		if _, err := n.transact(f.ctx(), nil); err != nil {
			t.Fatal(err)
		}
	}
	n.stop()
	return n
}

// rots flips a bit in a copy of the node. It answers 1 where that was noticed.
func (n *testNode) rots(t *testing.T, r *rand.Rand, file, want string) int {
	t.Helper()
	cfg := n.copied(t)
	defer os.RemoveAll(cfg.DataDir)
	where := flip(t, r, filepath.Join(cfg.DataDir, file))
	got, err := inspect(cfg)
	switch {
	case err != nil && strings.Contains(err.Error(), "it panics"):
		t.Errorf("%s, %s: %v", file, where, err)
	case err != nil && !names(err, file):
		t.Errorf("%s, %s: the file is not named: %v", file, where, err)
	case err == nil && strings.Contains(file, "MANIFEST"):
		// The state may be an earlier one, from which the log goes on: inspect has
		// found that it does.
	case err == nil && got != want:
		t.Errorf("%s, %s: not noticed:\n%s\nis not\n%s", file, where, got, want)
	case err != nil:
		return 1
	}
	return 0
}

// names says whether an error names a file: one of Pebble's by its folder at
// least, since a list of tables that has changed names tables that are not there.
func names(err error, file string) bool {
	text := err.Error()
	return strings.Contains(text, filepath.Base(file)) ||
		strings.HasPrefix(file, "state/") && strings.Contains(text, filepath.Dir(file))
}

// copied answers the configuration of a copy of the node. Each copy has a place of
// its own: a state store that fails keeps its lock as long as the process lives.
func (n *testNode) copied(t *testing.T) Config {
	t.Helper()
	cfg := n.cfg
	cfg.DataDir = filepath.Join(n.f.dir, fmt.Sprintf("copy-%d", n.f.next.Add(1)))
	if err := os.CopyFS(cfg.DataDir, os.DirFS(n.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// flip changes a bit of a file, not in the zeros at its end or between.
func flip(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := r.IntN(len(b))
	for at > 0 && b[at] == 0 {
		at--
	}
	mask := byte(1) << r.IntN(8)
	b[at] ^= mask
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("byte %d, bit %#x", at, mask)
}

func filesOf(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() == 0 {
			return err
		}
		files = append(files, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// inspect opens what a node has on its disk, as a start does, and answers all that
// it knows of terms, votes, entries, snapshots, records and itself.
func inspect(cfg Config) (text string, err error) {
	cfg, err = cfg.complete()
	if err != nil {
		return "", err
	}
	n := newNode(cfg)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
		n.fate.end(nil)
		if closing := n.release(); err == nil {
			err = closing
		}
	}()
	for _, step := range []func(context.Context) error{n.identify, n.openState, n.openLog, n.recover, n.certify} {
		if err := step(context.Background()); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%+v %+v\n", n.who, n.store.Status())
	incarnation, err := n.home.incarnate(time.Time{})
	fmt.Fprintf(&out, "incarnation %d\n", incarnation)
	return out.String(), errors.Join(err, n.inspectRaft(&out), n.inspectState(&out))
}

func (n *Node) inspectRaft(out *strings.Builder) error {
	term, err := n.stores.Stable.GetUint64([]byte("CurrentTerm"))
	voteTerm, voteErr := n.stores.Stable.GetUint64([]byte("LastVoteTerm"))
	candidate, candidateErr := n.stores.Stable.Get([]byte("LastVoteCand"))
	first, firstErr := n.stores.Logs.FirstIndex()
	last, lastErr := n.stores.Logs.LastIndex()
	fmt.Fprintf(out, "term %d, voted for %q in %d, log from %d to %d\n", term, candidate, voteTerm, first, last)
	if err := errors.Join(err, voteErr, candidateErr, firstErr, lastErr); err != nil {
		return err
	}
	for i := first; i <= last; i++ {
		var log raft.Log
		if err := n.stores.Logs.GetLog(i, &log); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d %d %d %x %x\n", log.Index, log.Term, log.Type, log.Data, log.Extensions)
	}
	list, err := n.snapshots.List()
	for _, s := range list {
		fmt.Fprintf(out, "snapshot %+v\n", *s)
	}
	return err
}

func (n *Node) inspectState(out *strings.Builder) error {
	record, err := n.store.Get(fsm.NewKey("t", "record"))
	if err != nil {
		return err
	}
	if record != nil {
		fmt.Fprintf(out, "record %d %q\n", record.Rev, record.Value)
	}
	return n.store.Events(0, func(i int64, event []byte) (bool, error) {
		fmt.Fprintf(out, "event %d %q\n", i, event)
		return true, nil
	})
}
