package pkcs11

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// slot is the right to run one call inside the module, with the session to do it
// in. Who has taken a slot from the idle channel owns it; a call that hangs owns
// it for ever, so that no more than all slots can hang.
type slot struct {
	handle  sessionHandle
	epoch   uint64 // of handle; 0 where there is none
	retired []sessionHandle
	overdue atomic.Int64 // elapsed time from which on the call hangs; 0 while idle
}

// maxRetired is how many sessions a slot may have had to leave behind before the
// partition connects anew, which closes them.
const maxRetired = 4

// session is a slot in use: what runs inside the module works on it.
type session struct {
	cryptoki
	handle sessionHandle
	w      *world
	p      *Partition
}

// operation is what the figures know a call by.
type operation struct {
	name string
	slow bool // may take slowFactor times as long
}

// outcome says who takes care of a result.
const (
	pending = iota
	delivered
	deserted
)

// call runs fn inside the module. All calls go through it. It answers when fn
// does or when ctx is over: then fn is left alone with its slot, and what it
// still answers goes to discard. fn must not use what the caller may change.
func call[T any](ctx context.Context, p *Partition, op operation, fn func(s *session) (T, error), discard func(T)) (T, error) {
	var zero T
	begun := time.Now()
	sl, err := p.acquire(ctx)
	if err != nil {
		p.figures.observe(op, begun, err)
		return zero, err
	}
	limit := p.timeout
	if op.slow {
		limit *= slowFactor
	}
	sl.overdue.Store(int64(p.elapsed() + limit))
	var result T
	var outcome atomic.Int32
	finished := make(chan error, 1)
	go func() {
		s, err := p.enter(sl)
		if err == nil {
			result, err = fn(s)
		}
		taken := outcome.CompareAndSwap(pending, delivered)
		finished <- err
		if !taken {
			p.abandoned.Add(-1)
			if err == nil && discard != nil {
				discard(result)
			}
		}
		p.finish(sl, s, err)
	}()
	select {
	case err = <-finished:
	case <-ctx.Done():
		if outcome.CompareAndSwap(pending, deserted) {
			p.abandoned.Add(1)
			err = expired(ctx)
			p.figures.observe(op, begun, err)
			return zero, fmt.Errorf("%s: %w", op.name, err)
		}
		err = <-finished
	}
	p.figures.observe(op, begun, err)
	return result, err
}

// acquire takes a slot.
func (p *Partition) acquire(ctx context.Context) (*slot, error) {
	for {
		if err := p.usable(ctx); err != nil {
			return nil, err
		}
		select {
		case sl := <-p.idle:
			return sl, nil
		default:
		}
		if err := p.circuit(); err != nil {
			return nil, err
		}
		select {
		case sl := <-p.idle:
			if p.closed.Load() || p.fault.Load() != nil {
				p.idle <- sl // and say why
				continue
			}
			return sl, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for a session: %w", expired(ctx))
		}
	}
}

// usable says why no call can begin now, if so.
func (p *Partition) usable(ctx context.Context) error {
	if p.closed.Load() {
		return hsm.ErrClosed
	}
	if ctx.Err() != nil {
		return expired(ctx)
	}
	if f := p.fault.Load(); f != nil {
		return p.recover(ctx, p.world.Load().epoch, reconnect)
	}
	if p.abandoned.Load() > 0 { // with no caller gone, nothing is known to hang
		return p.circuit()
	}
	return nil
}

// circuit is open, and answers an error, while more than half of the slots hang:
// the callers need not wait to learn it, and the other half is spared.
func (p *Partition) circuit() error {
	if n := p.hung(); 2*n > len(p.slots) {
		return fmt.Errorf("%d calls hang inside the token: %w", n, hsm.ErrUnavailable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.recovering != nil && p.recovering.hangs(p.timeout) {
		return errHungRecovery
	}
	return nil
}

// hung counts the calls that take longer than any should.
func (p *Partition) hung() int {
	now, n := int64(p.elapsed()), 0
	for _, sl := range p.slots {
		if overdue := sl.overdue.Load(); overdue != 0 && overdue < now {
			n++
		}
	}
	return n
}

// enter brings a slot into the module, opening its session where it has none of
// this epoch. Where it answers a session, finish leaves the module.
func (p *Partition) enter(sl *slot) (*session, error) {
	w := p.world.Load()
	if err := p.module.enter(w.module); err != nil {
		return nil, err
	}
	if len(sl.retired) > maxRetired {
		p.module.leave()
		return nil, errLost
	}
	if sl.epoch != w.epoch {
		handle, err := p.openSession(w)
		if err != nil {
			p.module.leave()
			return nil, err
		}
		sl.handle, sl.epoch = handle, w.epoch
	}
	return &session{cryptoki: p.module.cryptoki, handle: sl.handle, w: w, p: p}, nil
}

// finish ends a call and gives the slot back.
func (p *Partition) finish(sl *slot, s *session, err error) {
	if s != nil {
		switch classify(err) {
		case retire:
			// Closing the session would destroy the objects that were made in it,
			// which others use: it stays open, unused, until the next connection.
			sl.retired = append(sl.retired, sl.handle)
			sl.epoch = 0
		case done: // also where the caller was wrong: that call may have discarded objects too
			p.sweep(s)
		}
		p.module.leave()
	}
	sl.overdue.Store(0)
	p.idle <- sl
}

// drain takes all slots out of use, so that no call is inside the module. It
// gives up when patience ends, and answers those that it has, and false.
func (p *Partition) drain(patience time.Duration) (drained []*slot, all bool) {
	over := time.NewTimer(patience)
	defer over.Stop()
	for len(drained) < len(p.slots) {
		select {
		case sl := <-p.idle:
			drained = append(drained, sl)
		case <-over.C:
			return drained, false
		}
	}
	return drained, true
}
