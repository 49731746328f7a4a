package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm/soft"
)

// patience bounds every wait of a test: what takes longer does not happen.
const patience = 30 * time.Second

// fixture is a cluster in this process, on loopback, with soft partitions. When
// the test ends, check runs.
type fixture struct {
	t     testing.TB
	dir   string
	edit  func(*Config)
	nodes []*testNode
	next  atomic.Int64 // numbers the events

	unchecked bool // for benchmarks, whose events are not noted

	mu      sync.Mutex
	acked   map[string]bool // events whose transaction was acknowledged
	unknown map[string]bool // events that may be there, once
	damaged map[string]bool // nodes that the test has broken: not compared
}

// testNode is one node, running or not.
type testNode struct {
	f         *fixture
	cfg       Config
	partition *soft.Partition
	node      *Node // nil while it does not run
}

// newCluster makes a cluster of a size and waits until all its nodes vote.
func newCluster(t testing.TB, size int, edit func(*Config)) *fixture {
	t.Helper()
	before := runtime.NumGoroutine()
	f := &fixture{
		t:       t,
		dir:     t.TempDir(),
		edit:    edit,
		acked:   make(map[string]bool),
		unknown: make(map[string]bool),
		damaged: make(map[string]bool),
	}
	t.Cleanup(func() { f.finish(before) })
	first := f.add()
	first.ok(Init(f.ctx(), first.cfg, func(tx *fsm.Txn) error {
		tx.SetEvent(f.event())
		return nil
	}), "Init")
	first.open()
	for len(f.nodes) < size {
		f.join()
	}
	f.await("all nodes vote", func() error {
		for _, n := range f.running() {
			if err := n.node.Ready(); err != nil {
				return fmt.Errorf("%s: %w", n.cfg.Name, err)
			}
		}
		return nil
	})
	return f
}

// add makes the partition and the configuration of another node.
func (f *fixture) add() *testNode {
	f.t.Helper()
	name := fmt.Sprintf("node-%d", len(f.nodes)+1)
	n := &testNode{f: f}
	n.partition = f.newPartition(name)
	address := freeAddress(f.t)
	n.cfg = Config{
		Name:      name,
		DataDir:   filepath.Join(f.dir, name),
		Listen:    address,
		Advertise: address,
		LogStore:  LogStoreBoltDB,
		Partition: n.partition,
		Timing:    Timing{Watch: 100 * time.Millisecond},
		Logger:    testLogger(f.t, name),
	}
	if f.edit != nil {
		f.edit(&n.cfg)
	}
	f.nodes = append(f.nodes, n)
	return n
}

// newPartition opens a copy of the partition that all tests have for a name.
func (f *fixture) newPartition(name string) *soft.Partition {
	f.t.Helper()
	path := filepath.Join(f.dir, name+".hsm")
	if err := os.WriteFile(path, partitions.file(f.t, name), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return openPartition(f.t, path)
}

func openPartition(t testing.TB, path string) *soft.Partition {
	t.Helper()
	p, err := soft.Open(context.Background(), soft.Config{
		Path: path,
		PIN:  "a test's PIN",
		Cost: soft.Cost{Passes: 1, MemoryKiB: 8, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// partitions are partition files by name, each with an identity and a transport
// key and no domain key. They are made once: an RSA key takes seconds under the
// race detector.
var partitions partitionFiles

type partitionFiles struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (c *partitionFiles) file(t testing.TB, name string) []byte {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[name] == nil {
		path := filepath.Join(t.TempDir(), "hsm")
		p := openPartition(t, path)
		_, err := p.TransportKey(context.Background())
		if err := errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.files == nil {
			c.files = make(map[string][]byte)
		}
		c.files[name] = content
	}
	return c.files[name]
}

// join adds a node, admits it with a token of node 1, and opens it.
func (f *fixture) join() *testNode {
	f.t.Helper()
	n := f.add()
	n.ok(Join(f.ctx(), n.cfg, f.token(time.Hour)), "Join")
	n.open()
	return n
}

func (f *fixture) token(lifetime time.Duration) string {
	f.t.Helper()
	event := f.event()
	text, err := f.running()[0].node.Token(f.ctx(), lifetime, event)
	if err != nil {
		f.t.Fatal(err)
	}
	f.note(event, nil)
	return text
}

func (n *testNode) open() {
	n.f.t.Helper()
	node, err := Open(n.f.ctx(), n.cfg)
	n.ok(err, "Open")
	n.node = node
}

// stop closes a node, handing leadership over.
func (n *testNode) stop() {
	n.f.t.Helper()
	n.ok(n.node.Close(n.f.ctx()), "Close")
	n.node = nil
}

// kill cuts a node off and stops it as it stands.
func (n *testNode) kill() {
	n.f.t.Helper()
	n.node.isolate()
	expired, cancel := context.WithCancel(n.f.ctx())
	cancel()
	n.ok(n.node.Close(expired), "Close")
	n.node = nil
}

func (n *testNode) ok(err error, what string) {
	n.f.t.Helper()
	if err != nil {
		n.f.t.Fatalf("%s: %s: %v", n.cfg.Name, what, err)
	}
}

func (f *fixture) running() []*testNode {
	var list []*testNode
	for _, n := range f.nodes {
		if n.node != nil {
			list = append(list, n)
		}
	}
	return list
}

// leader waits for a running leader.
func (f *fixture) leader() *testNode {
	f.t.Helper()
	var leader *testNode
	f.await("a leader", func() error {
		for _, n := range f.running() {
			if leading, _ := n.node.Leading(); leading {
				leader = n
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

// follower is a running node that does not lead.
func (f *fixture) follower() *testNode {
	f.t.Helper()
	leader := f.leader()
	for _, n := range f.running() {
		if n != leader {
			return n
		}
	}
	f.t.Fatal("no follower")
	return nil
}

// await waits until a condition holds.
func (f *fixture) await(what string, condition func() error) {
	f.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(patience)
	for err := condition(); err != nil; err = condition() {
		if time.Now().After(deadline) {
			f.t.Fatalf("waiting for %s: %v", what, err)
		}
		<-ticker.C
	}
}

func (f *fixture) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	f.t.Cleanup(cancel)
	return ctx
}

// event makes an event that no other transaction has.
func (f *fixture) event() []byte { return fmt.Appendf(nil, `{"n":%d}`, f.next.Add(1)) }

// note takes down what a caller was told about an event.
func (f *fixture) note(event []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.acked[string(event)] = true
	case errors.Is(err, ErrUnknown):
		f.unknown[string(event)] = true
	}
}

// transact commits a transaction with an event of its own.
func (n *testNode) transact(ctx context.Context, run func(tx *fsm.Txn) error) (uint64, error) {
	event := n.f.event()
	index, err := n.node.Transact(ctx, "test", func(tx *fsm.Txn) error {
		tx.SetEvent(event)
		if run == nil {
			return nil
		}
		return run(tx)
	})
	n.f.note(event, err)
	return index, err
}

// finish runs the checker, closes everything, and looks for what stays behind.
func (f *fixture) finish(goroutines int) {
	f.t.Helper()
	if !f.t.Failed() && !f.unchecked {
		f.check()
	}
	for _, n := range f.running() {
		if err := n.node.Close(f.ctx()); err != nil && !f.damaged[n.cfg.Name] {
			f.t.Errorf("%s: Close: %v", n.cfg.Name, err)
		}
	}
	for _, n := range f.nodes {
		n.partition.Close()
	}
	if f.t.Failed() {
		return
	}
	f.await("goroutines to end", func() error {
		if now := runtime.NumGoroutine(); now > goroutines {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return fmt.Errorf("%d at the start, %d now:\n%s", goroutines, now, stacks)
		}
		return nil
	})
}

// check compares the running replicas once they have applied the same, and reads
// the ledger of each: it must be what its root says, hold every acknowledged
// event once, and nothing that no caller wrote.
func (f *fixture) check() {
	f.t.Helper()
	var sound []*testNode
	for _, n := range f.running() {
		if !f.damaged[n.cfg.Name] {
			sound = append(sound, n)
		}
	}
	if len(sound) == 0 {
		return
	}
	var status fsm.Status
	f.await("replicas to be level", func() error {
		status = sound[0].node.store.Status()
		for _, n := range sound[1:] {
			if other := n.node.store.Status(); other.Applied != status.Applied {
				return fmt.Errorf("%s at %d, %s at %d", sound[0].cfg.Name, status.Applied, n.cfg.Name, other.Applied)
			} else if other != status {
				f.t.Fatalf("replicas differ:\n%s %+v\n%s %+v", sound[0].cfg.Name, status, n.cfg.Name, other)
			}
		}
		return nil
	})
	for _, n := range sound {
		f.checkLedger(n)
	}
}

func (f *fixture) checkLedger(n *testNode) {
	f.t.Helper()
	size := n.node.store.Status().LedgerSize
	root, err := tlog.TreeHash(size, n.node.store)
	if err != nil || root != n.node.store.Status().LedgerRoot {
		f.t.Errorf("%s: the ledger's root is %v, want %v (%v)", n.cfg.Name, root, n.node.store.Status().LedgerRoot, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[string]int)
	err = n.node.store.Events(0, func(_ int64, event []byte) (bool, error) {
		seen[string(event)]++
		return true, nil
	})
	if err != nil {
		f.t.Errorf("%s: reading the ledger: %v", n.cfg.Name, err)
	}
	for event := range f.acked {
		if seen[event] != 1 {
			f.t.Errorf("%s: acknowledged event %s is in the ledger %d times", n.cfg.Name, event, seen[event])
		}
	}
	for event, count := range seen {
		if count != 1 {
			f.t.Errorf("%s: event %s is in the ledger %d times", n.cfg.Name, event, count)
		}
		if !f.acked[event] && !f.unknown[event] && event != `{"n":1}` {
			f.t.Errorf("%s: event %s is in the ledger, but its caller was told that it is not", n.cfg.Name, event)
		}
	}
}

// freeAddress is a loopback address that was free a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// testLogger shows the log of a node that fails its test.
func testLogger(t testing.TB, name string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: name, Level: hclog.Debug, Output: &testWriter{t: t}})
}

type testWriter struct{ t testing.TB }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
