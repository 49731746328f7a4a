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

// errHungRecovery is returned while nobody can use the token because connecting
// to it hangs.
var errHungRecovery = fmt.Errorf("connecting to the token anew hangs: %w", hsm.ErrUnavailable)

// hangs says whether a recovery takes longer than its waiting for other calls
// explains.
func (r *recovery) hangs(timeout time.Duration) bool { return time.Since(r.begun) > 2*timeout }

// attempts is how often an operation runs: once, and again after each of two
// failures of the token.
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
		case retire:
		case dead:
			p.die(err)
			return err
		default:
			if failed := p.recover(ctx, w.epoch, c); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
	if errors.Is(err, errLost) {
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
	case p.recovering != nil && p.recovering.hangs(p.timeout):
		return nil, errHungRecovery
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
	p.log.Warn("token lost, connecting anew", "initialize", level == reinitialize)
	drained, all := p.drain(p.timeout)
	err := fmt.Errorf("%d calls hang inside the token, which cannot be connected anew beside them: %w",
		len(p.slots)-len(drained), hsm.ErrUnavailable)
	if all {
		err = p.rebuild(drained, level)
	}
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

// rebuild makes a new world. The caller owns all slots, so that no call is
// inside the token: one that came back later could use, or destroy, by its old
// handle what has the same number in the new world.
func (p *Partition) rebuild(slots []*slot, level class) error {
	old := p.world.Load()
	alive := p.survivors(slots, old)
	w, err := (*world)(nil), error(nil)
	for module, tries := old.module, 0; tries < 2; tries++ {
		if level == reinitialize {
			if err := p.module.reinitialize(module, p.timeout); err != nil {
				return fmt.Errorf("initializing the module anew: %w", err)
			}
		}
		w, module, err = p.connect(old)
		if err == nil || classify(err) == dead {
			break
		}
		level = reinitialize
	}
	if err != nil {
		return err
	}
	p.world.Store(w)
	p.objects.Purge()
	for _, sl := range slots {
		sl.retired = nil
	}
	p.end(old, alive)
	return nil
}

// survivors lists the sessions of a world that the token still has. It is asked
// before new sessions are opened: afterwards the number of a session that the
// token had lost may be that of a new one.
func (p *Partition) survivors(slots []*slot, w *world) (open []sessionHandle) {
	if p.module.enter(w.module) != nil {
		return nil
	}
	defer p.module.leave()
	handles := []sessionHandle{w.anchor}
	for _, sl := range slots {
		handles = append(handles, sl.retired...)
		if sl.epoch == w.epoch {
			handles = append(handles, sl.handle)
		}
	}
	for _, h := range handles {
		if slot, _, err := p.module.SessionInfo(h); err == nil && slot == w.slot {
			open = append(open, h)
		}
	}
	return open
}

// end closes sessions, with the objects that were made in them. After a failure
// it stops: their numbers may be other sessions' now.
func (p *Partition) end(w *world, handles []sessionHandle) {
	if len(handles) == 0 || p.module.enter(w.module) != nil {
		return
	}
	defer p.module.leave()
	for _, h := range handles {
		if err := p.module.CloseSession(h); err != nil {
			p.log.Debug("a session does not close", "error", err)
			return
		}
	}
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
