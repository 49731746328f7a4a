package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/workload"
)

// World is one simulated cluster and its clients, in one bubble.
type World struct {
	dir     string // of the operating system: partitions, log, history
	logger  hclog.Logger
	rng     *rand.Rand // of the world's making, before anything runs beside it
	network *Network
	nodes   []*Node

	recorder *history.Recorder
	objects  *workload.Objects
	api      *api

	mu       sync.Mutex // guards what is below
	dice     *rand.Rand
	faults   map[string]int
	heads    []history.Head
	shown    map[history.Head]bool // the same without nodes
	problems []history.Problem

	ledger *history.Ledger // set by compare, when all else has ended

	replacing sync.Mutex     // held by who replaces a node; never waited for
	running   sync.WaitGroup // watchers
	ended     context.Context
	end       context.CancelFunc
}

// numbers answers the random numbers of one purpose: a seed's purposes do not
// disturb each other.
func numbers(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// Purposes of random numbers.
const (
	forWorld = iota
	forNetwork
	forDice
	forSize
	forGuide
	forDisks   = 100
	forClients = 200
	forFaults  = 300
)

func newWorld(dir string, seed uint64, logger hclog.Logger) *World {
	w := &World{
		dir:      dir,
		logger:   logger,
		rng:      numbers(seed, forWorld),
		network:  NewNetwork(numbers(seed, forNetwork)),
		dice:     numbers(seed, forDice),
		recorder: history.NewRecorder(),
		objects:  workload.NewObjects(),
		faults:   make(map[string]int),
		shown:    make(map[history.Head]bool),
	}
	w.ended, w.end = context.WithCancel(context.Background())
	timing, limits := w.timing(), w.limits()
	for i := range clusterSize(seed) {
		name := nodeName(i)
		address := name + ":7601"
		w.nodes = append(w.nodes, &Node{
			name:  name,
			world: w,
			disk:  NewDisk(numbers(seed, forDisks+uint64(i))),
			skew:  time.Duration(w.rng.Int64N(int64(4*time.Minute))) - 2*time.Minute,
			cfg: cluster.Config{
				Name: name, DataDir: dir + "/" + name, Listen: address, Advertise: address, LogStore: cluster.LogStoreBoltDB,
				Network: w.network.Host(name), Timing: timing, Limits: limits, Logger: logger.Named(name),
			},
		})
	}
	return w
}

// timing is now and then the shipped one, which costs a heartbeat every 50 ms;
// mostly one that is four times slower.
func (w *World) timing() cluster.Timing {
	if w.rng.IntN(4) == 0 {
		return cluster.Timing{Commit: 20 * time.Millisecond, Checkpoint: 5 * time.Second}
	}
	return cluster.Timing{
		Heartbeat: 1400 * time.Millisecond, Election: 1400 * time.Millisecond, Lease: 1200 * time.Millisecond,
		Commit: 100 * time.Millisecond, Checkpoint: 20 * time.Second, Snapshot: 10 * time.Second,
	}
}

// limits make snapshots frequent and logs short, so that followers have to be
// installed.
func (w *World) limits() cluster.Limits {
	return cluster.Limits{
		SnapshotEntries: 16 + uint64(w.rng.IntN(200)),
		TrailingEntries: 1 + uint64(w.rng.IntN(64)),
		Window:          1 + w.rng.IntN(3),
	}
}

// build makes the cluster: one node begins, the others join.
func (w *World) build(ctx context.Context) error {
	var account *admin.Account
	first := w.nodes[0]
	err := first.start(ctx, func(cfg cluster.Config) error {
		return cluster.Init(ctx, cfg, func(tx *fsm.Txn) (err error) {
			account, err = admin.Genesis(ctx, tx, admin.Founding{
				Identity: identity.New(identity.Config{HSM: cfg.Partition}), Generation: 1, AccountName: "operators",
				Region: regions[0], UserAgent: "sim", Time: time.Now(),
			})
			return err
		})
	})
	for _, n := range w.nodes[1:] {
		if err == nil {
			err = w.join(ctx, n)
		}
	}
	if err != nil {
		return err
	}
	w.api = newAPI(w, account)
	for _, n := range w.nodes {
		w.watch(n)
	}
	return w.await(ctx, w.well)
}

func (w *World) join(ctx context.Context, n *Node) error {
	token, err := w.nodes[0].running().node.Token(ctx, time.Hour, []byte(`{"eventName":"CreateJoinToken"}`))
	if err != nil {
		return err
	}
	return n.start(ctx, func(cfg cluster.Config) error { return cluster.Join(ctx, cfg, token) })
}

// await returns when a condition holds.
func (w *World) await(ctx context.Context, condition func() error) error {
	for err := condition(); err != nil; err = condition() {
		if sleep(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
	return nil
}

// well is nil where all nodes run, are ready and have the same state.
func (w *World) well() error {
	var applied uint64
	for i, n := range w.nodes {
		p := n.running()
		if p == nil || n.currentDisk().failed() {
			return fmt.Errorf("%s is down", n.name)
		}
		if err := p.node.Ready(); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if now := p.store().Applied(); i > 0 && now != applied {
			return fmt.Errorf("%s is at %d, %s at %d", w.nodes[0].name, applied, n.name, now)
		} else {
			applied = now
		}
	}
	return nil
}

// sound is well, and restarts nodes whose disk has failed since they last wrote to
// it, so that they have yet to find out.
func (w *World) sound() error {
	for _, n := range w.nodes {
		if !n.currentDisk().failed() || !n.changing.TryLock() {
			continue
		}
		w.restart(n, true, 0)
		n.changing.Unlock()
	}
	return w.well()
}

// node answers the node of a name, nil where there is none.
func (w *World) node(name string) *Node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// fail notes a problem.
func (w *World) fail(check, format string, args ...any) {
	p := history.Problem{Check: check, Text: fmt.Sprintf(format, args...)}
	w.logger.Error("PROBLEM", "check", check, "text", p.Text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, p)
}

// injected counts a fault.
func (w *World) injected(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[name]++
}

func (w *World) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.Float64() < p
}

// close ends everything, so that the bubble can.
func (w *World) close() error {
	w.end()
	w.running.Wait()
	var errs []error
	for _, n := range w.nodes {
		n.disk.Resume()
		errs = append(errs, n.stop())
	}
	return errors.Join(errs...)
}
