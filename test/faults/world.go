package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/faults/frail"
	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/rig"
	"github.com/cofre-kms/cofre/test/workload"
)

// world is one cluster under torment, and all that is known of it.
type world struct {
	cluster *rig.Cluster
	network *network  // nil where namespaces are not permitted
	victims []*victim // all nodes, those included that are not members
	log     io.Writer // what happened when
	began   time.Time

	only    []string   // names of the nemeses that act; empty: all
	rotting sync.Mutex // held while one node has a rotten file

	objects  *workload.Objects
	recorder *history.Recorder

	releases   releases
	regrouping sync.Mutex // held by the one fault that changes who the members are, or their release
	upgraded   bool       // they run the later one; of regrouping's holder, and of whoever is left after the faults

	mu       sync.Mutex
	problems []history.Problem
	heads    []history.Head
	faults   map[string]int // by kind, how many were injected
}

// victim is a node, and what can be done to it.
type victim struct {
	*rig.Node
	disk   disk        // nil where file systems cannot be mounted
	frail  *frail.Disk // the same, where it can do more than be full
	module *control    // nil for an embedded partition
	clock  *control    // seconds by which it is wrong; nil where the binary is the shipped one

	// member says that the node is one. Faults leave the others alone.
	member atomic.Bool
	// names counts the names that the machine's members have had; of regrouping's
	// holder.
	names int

	// One fault at a time has the disk, or the module.
	diskBusy, moduleBusy sync.Mutex

	// changing is held by whoever stops, pauses or starts the process, or would
	// wait for its answer.
	changing sync.Mutex
	// excused counts the faults under which a process may end by itself: where its
	// disk is full or its partition dead.
	excused atomic.Int32
	// pardon is until when an end by itself is owed to such a fault; Unix seconds.
	pardon atomic.Int64
}

// excuse lets the node end by itself until the returned function has been called
// and some time has passed.
func (v *victim) excuse() (over func()) {
	v.excused.Add(1)
	return func() {
		v.pardon.Store(time.Now().Add(excuseLasts).Unix())
		v.excused.Add(-1)
	}
}

// excuseLasts: a call that hung may end the process later.
const excuseLasts = 30 * time.Second

func (v *victim) mayEnd() bool {
	return v.excused.Load() > 0 || time.Now().Unix() <= v.pardon.Load()
}

// tools is what all runs of a process share.
type tools struct {
	binary string
	clocks bool   // the binary's clocks can be wrong
	module string // the PKCS #11 module that fails on demand
	kinds  []string
	next   string   // a later release; empty where none is built
	root   bool     // namespaces and mounts are permitted
	only   []string // names of the nemeses that act; empty: all
	frail  bool     // and FUSE is
}

// config is what a seed decides about a cluster, where no flag does.
type config struct {
	nodes    int
	hsm      string
	logStore string
	frail    bool // disks can do more than be full
}

func (c config) String() string {
	text := fmt.Sprintf("%d nodes, %s, %s", c.nodes, c.hsm, c.logStore)
	if c.frail {
		text += ", frail disks"
	}
	return text
}

// start builds a cluster in dir.
func start(t *testing.T, dir string, cfg config, tools tools, log io.Writer) *world {
	t.Helper()
	w := &world{
		log: log, began: time.Now(), only: tools.only, releases: releases{tools.binary, tools.next}, faults: make(map[string]int),
		objects: workload.NewObjects(), recorder: history.NewRecorder(),
	}
	if tools.root {
		w.network = newNetwork()
	}
	t.Cleanup(func() { w.close(t) })
	rc := rig.Config{
		Binary: tools.binary, Nodes: cfg.nodes, Spare: spareNodes, HSM: cfg.hsm, LogStore: cfg.logStore, Dir: dir,
		Prepare: func(n *rig.Node) error { return w.prepare(n, cfg, tools) },
	}
	if cfg.hsm == rig.SoftHSM {
		rc.Module = tools.module
	}
	w.cluster = rig.Start(t, rc)
	return w
}

// prepare makes what surrounds a node.
func (w *world) prepare(n *rig.Node, cfg config, tools tools) (err error) {
	v := &victim{Node: n}
	v.member.Store(len(w.victims) < cfg.nodes)
	w.victims = append(w.victims, v)
	if cfg.hsm == rig.SoftHSM {
		if v.module, err = newControl(n, "fault"); err != nil {
			return err
		}
	}
	if tools.clocks {
		if v.clock, err = newControl(n, "clock"); err != nil {
			return err
		}
	}
	if w.network == nil {
		return nil
	}
	if err := v.mount(cfg.frail); err != nil {
		return err
	}
	return w.network.add(n)
}

// close gives back what surrounds the nodes, which have ended. The data of a run
// that failed are kept.
func (w *world) close(t *testing.T) {
	for _, v := range w.victims {
		if v.disk == nil {
			continue
		}
		if err := v.unmount(t.Failed()); err != nil {
			t.Error(err)
		}
	}
	if w.network == nil {
		return
	}
	if err := w.network.close(); err != nil {
		t.Error(err)
	}
}

// note writes a line of what happens.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.log, "%v %8.3f ", time.Now().UTC().Format(time.RFC3339Nano), time.Since(w.began).Seconds())
	fmt.Fprintf(w.log, format+"\n", args...)
}

func (w *world) fail(check, format string, args ...any) {
	p := history.Problem{Check: check, Text: fmt.Sprintf(format, args...)}
	w.note("PROBLEM %v", p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, p)
}

func (w *world) injected(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[kind]++
}

// check reports an error of the test's own means.
func (w *world) check(what string, err error) {
	if err != nil {
		w.fail("test", "%s: %v", what, err)
	}
}

// members are the nodes that are members now.
func (w *world) members() []*victim {
	return slices.DeleteFunc(slices.Clone(w.victims), func(v *victim) bool { return !v.member.Load() })
}

func (w *world) some(r *rand.Rand) *victim {
	members := w.members()
	return members[r.IntN(len(members))]
}

// leader is a node that says that it leads; any node where none does.
func (w *world) leader(r *rand.Rand) *victim {
	for _, v := range w.shuffled(r) {
		if state, err := v.figure("cofre_raft_state"); err == nil && state == leaderState {
			return v
		}
	}
	return w.some(r)
}

// leaderState is cofre_raft_state of a leader.
const leaderState = 2

// figure reads one of the node's figures. A node that is paused or down has none.
func (v *victim) figure(name string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	figures, err := v.Metrics(ctx)
	return figures[name], err
}
