package commit

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
)

// Config configures a Queue.
type Config struct {
	// Node and Incarnation are what the batches are numbered under.
	Node        string
	Incarnation uint64
	Proposer    Proposer
	// Level answers the cluster's feature level; nil means the first.
	Level func() fsm.Level
	// Window is how many batches are in flight at a time; 0 means 1.
	Window int
	// MaxTxns and MaxBytes bound a batch; 0 means 512 and 1 MiB.
	MaxTxns, MaxBytes int
	// MaxWaiting bounds the transactions that wait for a batch; 0 means 4,096. One
	// caller may hold half of them.
	MaxWaiting int
	Logger     hclog.Logger
	// Fenced is called when the state machine refuses batches as stale. May be nil.
	Fenced func(error)
	// Resolved is called for every batch whose outcome became known. May be nil.
	Resolved func(txns, bytes int, took time.Duration)
}

func (c *Config) defaults() {
	for _, field := range []struct {
		value *int
		zero  int
	}{{&c.Window, 1}, {&c.MaxTxns, 512}, {&c.MaxBytes, 1 << 20}, {&c.MaxWaiting, 4096}} {
		if *field.value == 0 {
			*field.value = field.zero
		}
	}
	if c.Level == nil {
		c.Level = func() fsm.Level { return fsm.LowestLevel }
	}
	if c.Fenced == nil {
		c.Fenced = func(error) {}
	}
	if c.Resolved == nil {
		c.Resolved = func(int, int, time.Duration) {}
	}
}

// Queue commits transactions in batches. It is safe for concurrent use.
type Queue struct {
	cfg     Config
	ctx     context.Context // ends when the queue stops
	stop    context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{} // a batch may be able to start

	mu       sync.Mutex
	waiting  *list.List     // of *entry, in order of arrival
	held     map[string]int // waiting entries of each caller
	inflight map[uint64]*batch
	next     uint64 // sequence of the next batch
	busy     int    // slots of the window in use
	refusals int    // batches refused since the last that was not
	closed   bool
	drained  chan struct{} // closed once closed is set and nothing is open
}

// entry is one transaction on its way. result and err are valid once done is
// closed.
type entry struct {
	caller string
	txn    *fsm.Txn
	size   int
	place  *list.Element // in waiting; nil once in a batch
	done   chan struct{}
	result Result
	err    error
}

// New starts a queue.
func New(cfg Config) *Queue {
	cfg.defaults()
	q := &Queue{
		cfg:      cfg,
		wake:     make(chan struct{}, 1),
		waiting:  list.New(),
		held:     make(map[string]int),
		inflight: make(map[uint64]*batch),
		next:     1,
		drained:  make(chan struct{}),
	}
	q.ctx, q.stop = context.WithCancel(context.Background())
	q.running.Go(q.run)
	return q
}

// Commit commits a finished transaction and answers what became of it. The
// error is one of the package's, or fsm.ErrTooLarge. A caller that gives up does
// not stop its transaction once a batch holds it.
func (q *Queue) Commit(ctx context.Context, caller string, txn *fsm.Txn) (Result, error) {
	size, err := txn.Size()
	if err != nil {
		return Result{}, err
	}
	e := &entry{caller: caller, txn: txn, size: size, done: make(chan struct{})}
	if err := q.enqueue(e); err != nil {
		return Result{}, err
	}
	select {
	case <-e.done:
		return e.result, e.err
	case <-ctx.Done():
		return q.abandon(e)
	}
}

// Waiting is how many transactions wait for a batch.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.Len()
}

func (q *Queue) enqueue(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.waiting.Len() >= q.cfg.MaxWaiting:
		return ErrOverloaded
	case q.held[e.caller] >= (q.cfg.MaxWaiting+1)/2:
		return fmt.Errorf("%w: too many requests of one account", ErrOverloaded)
	}
	e.place = q.waiting.PushBack(e)
	q.held[e.caller]++
	q.signal()
	return nil
}

// abandon stops waiting for an entry. One that no batch holds leaves the queue.
func (q *Queue) abandon(e *entry) (Result, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-e.done:
		return e.result, e.err
	default:
	}
	if e.place == nil {
		return Result{}, ErrUnknown
	}
	q.unlink(e)
	q.checkDrained()
	return Result{}, ErrUnavailable
}

// unlink takes an entry out of waiting. The caller holds mu.
func (q *Queue) unlink(e *entry) {
	q.waiting.Remove(e.place)
	e.place = nil
	if q.held[e.caller]--; q.held[e.caller] == 0 {
		delete(q.held, e.caller)
	}
}

// signal wakes run. It never blocks.
func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
