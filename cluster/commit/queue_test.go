package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// TestFaults has every way in which a proposal can fail happen twice: the command
// took effect, or it did not. The caller is told that its transaction committed,
// and it took effect once.
func TestFaults(t *testing.T) {
	failures := map[string]error{
		"connection lost": errLost,
		"leadership lost": errors.New("leadership lost while committing log"),
		"raft shut down":  errors.New("raft is already shutdown"),
		"another leader":  context.Canceled,
	}
	for name, err := range failures {
		for _, applied := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, took effect %t", name, applied), func(t *testing.T) {
				testFaults(t, fault{err: err, applied: applied})
			})
			t.Run(fmt.Sprintf("%s, took effect %t, then refused", name, applied), func(t *testing.T) {
				testFaults(t, fault{err: err, applied: applied}, fault{err: refused("no leader")})
			})
			t.Run(fmt.Sprintf("%s twice, took effect %t", name, applied), func(t *testing.T) {
				testFaults(t, fault{err: err, applied: applied}, fault{err: err, applied: true})
			})
		}
	}
	t.Run("refused", func(t *testing.T) { testFaults(t, fault{err: refused("not the leader")}) })
	t.Run("refused often", func(t *testing.T) {
		testFaults(t, slices.Repeat([]fault{{err: refused("not the leader")}}, 5)...)
	})
}

func testFaults(t *testing.T, script ...fault) {
	l := newLeader(t, script...)
	q := l.start(nil)
	for i := range 3 {
		result, err := q.Commit(deadline(t), "a", l.txn(fmt.Sprint(i)))
		if err != nil || result.Outcome != fsm.Committed {
			t.Fatalf("transaction %d: %+v, %v", i, result, err)
		}
	}
	if got := l.events(); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("the ledger holds %q", got)
	}
}

// TestObservedOutcome: an answer that is lost is not missed where this node's
// own state machine applied the batch.
func TestObservedOutcome(t *testing.T) {
	l := newLeader(t)
	l.gate = make(chan struct{}) // the answer never comes
	var mu sync.Mutex
	var commands [][]byte
	q := l.start(func(c *Config) { c.Proposer = &tap{leader: l, mu: &mu, commands: &commands} })
	done := make(chan error, 1)
	go func() {
		_, err := q.Commit(deadline(t), "a", l.txn("e"))
		done <- err
	}()
	<-l.entered
	mu.Lock()
	command := commands[0]
	mu.Unlock()
	l.mu.Lock()
	result := l.apply(command)
	l.mu.Unlock()
	q.Observe(fsm.Result{Node: "another", Incarnation: 1, Sequence: 1, Outcomes: []fsm.Outcome{fsm.Conflict}})
	q.Observe(fsm.Result{Node: "n1", Incarnation: 7, Sequence: 1, Outcomes: []fsm.Outcome{fsm.Conflict}})
	q.Observe(result)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// tap keeps the commands that pass.
type tap struct {
	*leader
	mu       *sync.Mutex
	commands *[][]byte
}

func (p *tap) Propose(ctx context.Context, command []byte) (fsm.Result, error) {
	p.mu.Lock()
	*p.commands = append(*p.commands, command)
	p.mu.Unlock()
	return p.leader.Propose(ctx, command)
}

// TestGivingUp: who stops waiting before a batch holds the transaction is told
// that nothing happened, and nothing happens; afterwards the outcome is unknown,
// and the batch is resolved all the same.
func TestGivingUp(t *testing.T) {
	l := newLeader(t)
	l.gate = make(chan struct{})
	q := l.start(nil)
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := q.Commit(ctx, "a", l.txn("in flight"))
		first <- err
	}()
	<-l.entered
	second := make(chan error, 1)
	go func() {
		_, err := q.Commit(ctx, "a", l.txn("waiting"))
		second <- err
	}()
	await(t, "the second to wait", func() bool { return q.Waiting() == 1 })
	cancel()
	if err := <-first; !errors.Is(err, ErrUnknown) {
		t.Errorf("in flight: %v", err)
	}
	if err := <-second; !errors.Is(err, ErrUnavailable) {
		t.Errorf("waiting: %v", err)
	}
	close(l.gate)
	if _, err := q.Commit(deadline(t), "a", l.txn("last")); err != nil {
		t.Fatal(err)
	}
	if got := l.events(); !slices.Equal(got, []string{"in flight", "last"}) {
		t.Errorf("the ledger holds %q", got)
	}
}

// TestNoLeader: without a leader no batch is formed, so everybody can still be
// told that nothing happened.
func TestNoLeader(t *testing.T) {
	l := newLeader(t)
	l.away = make(chan struct{})
	q := l.start(nil)
	if _, err := q.Commit(expired(), "a", l.txn("never")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a leader: %v", err)
	}
	close(l.away)
	if _, err := q.Commit(deadline(t), "a", l.txn("then")); err != nil {
		t.Fatal(err)
	}
	if got := l.events(); !slices.Equal(got, []string{"then"}) {
		t.Errorf("the ledger holds %q", got)
	}
}

// TestOverload: the queue is bounded, and one caller gets half of it.
func TestOverload(t *testing.T) {
	l := newLeader(t)
	l.away = make(chan struct{})
	q := l.start(func(c *Config) { c.MaxWaiting = 4 })
	var callers sync.WaitGroup
	enqueue := func(caller string, want int) {
		callers.Go(func() {
			if _, err := q.Commit(deadline(t), caller, l.txn(caller)); err != nil {
				t.Errorf("%s: %v", caller, err)
			}
		})
		await(t, "a transaction to wait", func() bool { return q.Waiting() == want })
	}
	enqueue("greedy", 1)
	enqueue("greedy", 2)
	if _, err := q.Commit(deadline(t), "greedy", l.txn("more")); !errors.Is(err, ErrOverloaded) {
		t.Errorf("the half of one caller: %v", err)
	}
	enqueue("modest", 3)
	enqueue("other", 4)
	if _, err := q.Commit(deadline(t), "third", l.txn("more")); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a full queue: %v", err)
	}
	close(l.away)
	callers.Wait()
	if len(q.held) != 0 {
		t.Errorf("after all left, the queue counts %v", q.held)
	}
}

// TestFenced: when the state machine refuses a batch as stale, another process
// has taken the name. What became of the batch is unknown, since an earlier copy
// of it may have been applied.
func TestFenced(t *testing.T) {
	l := newLeader(t)
	fenced := make(chan error, 10)
	q := l.start(func(c *Config) { c.Fenced = func(err error) { fenced <- err } })
	if _, err := q.Commit(deadline(t), "a", l.txn("old")); err != nil {
		t.Fatal(err)
	}
	successor := l.start(func(c *Config) { c.Incarnation = 2 })
	if _, err := successor.Commit(deadline(t), "a", l.txn("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Commit(deadline(t), "a", l.txn("late")); !errors.Is(err, ErrUnknown) {
		t.Errorf("a fenced queue: %v", err)
	}
	if err := <-fenced; !errors.Is(err, ErrFenced) {
		t.Errorf("fenced with %v", err)
	}
	if got := l.events(); !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("the ledger holds %q", got)
	}
}

// TestClose: transactions that are under way end, later ones are refused, and
// what cannot end is told apart.
func TestClose(t *testing.T) {
	t.Run("drains", func(t *testing.T) {
		l := newLeader(t)
		l.gate = make(chan struct{})
		q := l.start(nil)
		done := make(chan error, 1)
		go func() {
			_, err := q.Commit(deadline(t), "a", l.txn("e"))
			done <- err
		}()
		<-l.entered
		closed := make(chan struct{})
		go func() { q.Close(deadline(t)); close(closed) }()
		await(t, "the queue to close", func() bool {
			_, err := q.Commit(expired(), "a", l.txn("late"))
			return errors.Is(err, ErrClosed)
		})
		close(l.gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-closed
	})
	t.Run("gives up", func(t *testing.T) {
		l := newLeader(t)
		l.gate = make(chan struct{})
		q := l.start(nil)
		errs := make(chan error, 2)
		for i := range 2 {
			go func() {
				_, err := q.Commit(deadline(t), "a", l.txn("e"))
				errs <- err
			}()
			if i == 0 {
				<-l.entered
			}
		}
		await(t, "the second to wait", func() bool { return q.Waiting() == 1 })
		q.Close(expired())
		a, b := <-errs, <-errs
		if errors.Is(a, ErrClosed) {
			a, b = b, a
		}
		if !errors.Is(a, ErrUnknown) || !errors.Is(b, ErrClosed) {
			t.Errorf("in flight: %v, waiting: %v", a, b)
		}
	})
}

// TestSettled: a batch never says that an open one is settled, in whatever order
// they end.
func TestSettled(t *testing.T) {
	q := &Queue{next: 1, inflight: make(map[uint64]*batch)}
	steps := []struct {
		begin, end uint64
		want       uint64
	}{{begin: 1, want: 0}, {begin: 2, want: 0}, {begin: 3, want: 0}, {end: 2, want: 0}, {end: 1, want: 2}, {begin: 4, want: 2}, {end: 3, want: 3}, {end: 4, want: 4}}
	for i, step := range steps {
		if step.begin != 0 {
			q.inflight[step.begin] = &batch{}
			q.next = step.begin + 1
		}
		delete(q.inflight, step.end)
		if got := q.settled(); got != step.want {
			t.Errorf("step %d: settled %d, want %d", i, got, step.want)
		}
	}
}

// TestLimits: a batch holds no more transactions and bytes than it may, and every
// transaction is in one.
func TestLimits(t *testing.T) {
	l := newLeader(t)
	l.away = make(chan struct{})
	var mu sync.Mutex
	var sizes []int
	q := l.start(func(c *Config) {
		c.MaxTxns = 3
		c.Window = 2
		c.Resolved = func(txns, _ int, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, txns)
		}
	})
	var callers sync.WaitGroup
	for i := range 10 {
		callers.Go(func() {
			if _, err := q.Commit(deadline(t), fmt.Sprint(i), l.txn(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	await(t, "all to wait", func() bool { return q.Waiting() == 10 })
	close(l.away)
	callers.Wait()
	await(t, "all batches to be reported", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(sizes) == 4
	})
	if slices.Max(sizes) > 3 || len(l.events()) != 10 {
		t.Errorf("batches of %v, %d events", sizes, len(l.events()))
	}
}
