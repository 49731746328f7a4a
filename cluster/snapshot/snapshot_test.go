package snapshot

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
)

var configuration = raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: "host:1"}}}

// replica is a state with the snapshots made of it.
type replica struct {
	t         *testing.T
	state     *fsm.Store
	snapshots *Store
	dir       string
	index     uint64
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	dir := t.TempDir()
	state, err := fsm.Open(fsm.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	r := &replica{t: t, state: state, dir: filepath.Join(dir, "snapshots")}
	r.reopen()
	return r
}

func (r *replica) reopen() {
	r.t.Helper()
	s, err := Open(vfs.Default, r.dir, hclog.NewNullLogger())
	if err != nil {
		r.t.Fatal(err)
	}
	r.snapshots = s
}

// grow applies a transaction.
func (r *replica) grow() {
	r.t.Helper()
	r.index++
	tx := fsm.NewTxn(r.state)
	tx.Put(fsm.NewKey("k", fmt.Sprint(r.index)), bytes.Repeat([]byte("v"), 1000))
	tx.SetEvent(fmt.Appendf(nil, "event %d", r.index))
	command, err := fsm.EncodeBatch(&fsm.Batch{Node: "n", Incarnation: 1, Sequence: r.index, Settled: r.index - 1, Txns: []*fsm.Txn{tx}})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.state.Apply([]fsm.Entry{{Index: r.index, Command: command}}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) begin(index uint64) *Sink {
	r.t.Helper()
	sink, err := r.snapshots.Create(1, index, 3, configuration, 1, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return sink.(*Sink)
}

// take makes a snapshot of the state as it is.
func (r *replica) take() string {
	r.t.Helper()
	dir := r.snapshots.Scratch()
	if _, err := r.state.Checkpoint(dir); err != nil {
		r.t.Fatal(err)
	}
	sink := r.begin(r.index)
	if err := sink.Adopt(dir); err != nil {
		r.t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		r.t.Fatal(err)
	}
	return sink.ID()
}

func (r *replica) list() []*raft.SnapshotMeta {
	r.t.Helper()
	list, err := r.snapshots.List()
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// read answers a snapshot's stream and checks its size.
func (r *replica) read(id string) []byte {
	r.t.Helper()
	m, source, err := r.snapshots.Open(id)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(source)
	if err != nil || int64(len(b)) != m.Size {
		r.t.Fatalf("a stream of %d bytes, %d announced: %v", len(b), m.Size, err)
	}
	if err := source.Close(); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// TestInstall: what one replica snapshots, another receives, keeps and installs.
func TestInstall(t *testing.T) {
	leader, follower := newReplica(t), newReplica(t)
	for range 20 {
		leader.grow()
	}
	id := leader.take()
	want := leader.state.Status()
	leader.grow() // the snapshot does not move
	stream := leader.read(id)

	sink := follower.begin(20)
	if _, err := io.Copy(sink, bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	follower.reopen()
	m := follower.list()[0]
	if m.Index != 20 || m.Term != 3 || m.ConfigurationIndex != 1 || len(m.Configuration.Servers) != 1 {
		t.Errorf("the metadata is %+v", m)
	}
	if !bytes.Equal(follower.read(m.ID), stream) {
		t.Error("the received stream is not the sent one")
	}
	if err := follower.state.Restore(bytes.NewReader(follower.read(m.ID))); err != nil {
		t.Fatal(err)
	}
	if got := follower.state.Status(); got != want {
		t.Errorf("installed %+v, want %+v", got, want)
	}
}

// TestRetain: old snapshots go, the newest first in the list, and one that is
// being read stays until it has been.
func TestRetain(t *testing.T) {
	r := newReplica(t)
	r.grow()
	first := r.take()
	_, source, err := r.snapshots.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 3 {
		r.grow()
		ids = append(ids, r.take())
	}
	if list := r.list(); len(list) != 3 || list[0].ID != ids[2] || list[1].ID != ids[1] || list[2].ID != first {
		t.Errorf("kept %v", list)
	}
	if _, err := io.Copy(io.Discard, source); err != nil {
		t.Errorf("reading a snapshot that is due to go: %v", err)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	if list := r.list(); len(list) != 2 {
		t.Errorf("after reading, kept %v", list)
	}
	if _, _, err := r.snapshots.Open(first); err == nil {
		t.Error("a removed snapshot opens")
	}
}

// TestUnfinished: neither a cancelled snapshot nor one that a crash left is ever
// listed, and both go.
func TestUnfinished(t *testing.T) {
	r := newReplica(t)
	r.grow()
	cancelled := r.begin(1)
	if _, err := cancelled.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := cancelled.Cancel(); err != nil {
		t.Fatal(err)
	}
	crashed := r.begin(1)
	if _, err := crashed.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.state.Checkpoint(r.snapshots.Scratch()); err != nil {
		t.Fatal(err)
	}
	if list := r.list(); len(list) != 0 {
		t.Errorf("listed %v", list)
	}
	crashed.stream.Close()
	r.reopen()
	names, err := os.ReadDir(r.dir)
	if err != nil || len(names) != 0 {
		t.Errorf("left %v, %v", names, err)
	}
}

// TestSameIndex: two snapshots of one index do not meet.
func TestSameIndex(t *testing.T) {
	r := newReplica(t)
	r.grow()
	a := r.take()
	r.reopen()
	if b := r.take(); a == b || r.list()[0].ID != b || !strings.HasPrefix(b, a[:41]) {
		t.Errorf("%s and %s, list %v", a, b, r.list())
	}
}
