package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// fault is why the token cannot be used.
type fault struct {
	err   error
	until time.Time // nobody tries again before; zero is never
}

// recovery is an attempt to get the token back, which callers wait for.
type recovery struct {
	begun time.Time
	done  chan struct{}
	err   error // set before done is closed
}

// attempts is how often an operation runs: once, once more after its handles
// turned out to be old, and once more after the token was gone.
const attempts = 3

// do runs an operation, and again where the failure was not its own. Every
// operation can be run again: those that make token objects look first.
func (p *Partition) do(ctx context.Context, op operation, fn func(ctx context.Context) error) error {
	limit := p.timeout
	if op.slow {
		limit *= slowFactor
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	for range attempts {
		w := p.world.Load()
		err = fn(ctx)
		switch c := classify(err); c {
		case done:
			return err
		case again, retire:
		case dead:
			p.die(err)
			return err
		default:
			if failed := p.recover(ctx, w.epoch, c); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
	if errors.Is(err, errStale) || errors.Is(err, errModule) {
		err = fmt.Errorf("%s: the token is lost again and again: %w", op.name, hsm.ErrUnavailable)
	}
	return err
}

// recover gets the token back, unless somebody has since the epoch seen. It
// waits for whoever does.
func (p *Partition) recover(ctx context.Context, seen uint64, level class) error {
	r, err := p.beginRecovery(seen, level)
	if r == nil || err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the token: %w", expired(ctx))
	}
}

func (p *Partition) beginRecovery(seen uint64, level class) (*recovery, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault.Load()
	switch {
	case p.closed.Load():
		return nil, hsm.ErrClosed
	case p.recovering != nil && f != nil:
		return nil, f.err // somebody tries; do not pile up behind a token that is gone
	case p.recovering != nil && time.Since(p.recovering.begun) > 2*p.timeout:
		return nil, fmt.Errorf("reconnecting to the token hangs: %w", hsm.ErrUnavailable)
	case p.recovering != nil:
		return p.recovering, nil
	case f == nil && p.world.Load().epoch != seen:
		return nil, nil
	case f != nil && (f.until.IsZero() || time.Now().Before(f.until)):
		return nil, f.err
	case time.Since(p.recovered) < p.resting:
		return nil, fmt.Errorf("the token was lost again %v after it came back: %w",
			time.Since(p.recovered).Round(time.Millisecond), hsm.ErrUnavailable)
	}
	r := &recovery{begun: time.Now(), done: make(chan struct{})}
	p.recovering = r
	go p.reconnect(r, level)
	return r, nil
}

// reconnect is a recovery. It runs by itself, because it may hang.
func (p *Partition) reconnect(r *recovery, level class) {
	p.log.Warn("token lost, reconnecting", "initialize", level == reinitialize)
	drained := p.drain(p.timeout)
	err := p.rebuild(drained, level)
	p.mu.Lock()
	p.settle(err)
	p.recovering = nil
	p.mu.Unlock()
	r.err = err
	close(r.done)
	for _, sl := range drained {
		p.idle <- sl
	}
}

// rebuild makes a new world. The caller owns the drained slots, so nobody uses
// the old one, except for hung calls, whose answers nobody waits for.
func (p *Partition) rebuild(drained []*slot, level class) error {
	old := p.world.Load()
	var w *world
	var err error
	if level != reinitialize {
		if w, err = p.connect(old); err != nil && classify(err) == dead {
			return err
		}
	}
	if level == reinitialize || err != nil {
		if err := p.module.reinitialize(old.module, p.timeout); err != nil {
			return fmt.Errorf("initializing the module anew: %w", err)
		}
		if w, err = p.connect(old); err != nil {
			return err
		}
	}
	p.world.Store(w)
	p.objects.Purge()
	p.forget(drained, old, w)
	return nil
}

// forget closes the sessions of a world that is over, where they still exist: in
// a module that was initialized since, their numbers may be other sessions. The
// caller owns the slots.
func (p *Partition) forget(drained []*slot, old, w *world) {
	exist := old.module == w.module && p.module.enter(w.module) == nil
	if exist {
		defer p.module.leave()
		_ = p.module.CloseSession(old.anchor) // the token may have lost it
	}
	for _, sl := range drained {
		sl.close(p.module, exist)
	}
}

// close ends the sessions of a slot that the caller owns.
func (sl *slot) close(m sessionCalls, exist bool) {
	if sl.epoch != 0 {
		sl.retired = append(sl.retired, sl.handle)
	}
	for _, handle := range sl.retired {
		if exist {
			_ = m.CloseSession(handle) // the token may have lost it
		}
	}
	sl.epoch, sl.retired = 0, nil
}

// settle notes the end of a recovery. It needs mu.
func (p *Partition) settle(err error) {
	now := time.Now()
	p.resting = min(max(2*p.resting, p.pause), longestPause)
	if err == nil {
		if now.Sub(p.recovered) > 2*longestPause { // it had been well for a while
			p.resting = 0
		}
		p.recovered = now
		p.fault.Store(nil)
		p.figures.recoveries.WithLabelValues("ok").Inc()
		p.log.Info("token is back", "epoch", p.world.Load().epoch)
		return
	}
	f := &fault{err: fmt.Errorf("token lost: %w", unavailable(err)), until: now.Add(p.resting)}
	if classify(err) == dead {
		f.until = time.Time{}
	}
	p.fault.Store(f)
	p.figures.recoveries.WithLabelValues("failed").Inc()
	p.log.Error("token does not come back", "error", err, "again", p.resting)
}

// die gives the token up: another login could lock its PIN.
func (p *Partition) die(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault.Store(&fault{err: fmt.Errorf("token refuses us: %w", unavailable(err))})
	p.log.Error("token refuses us; the partition stays closed until the node starts again", "error", err)
}

// unavailable makes sure that an error is ErrUnavailable.
func unavailable(err error) error {
	if errors.Is(err, hsm.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
}
