package sim

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/cofre-kms/cofre/cluster"
)

// attemptLimit bounds one attempt of an operator, who tries until it works.
const attemptLimit = 20 * time.Second

// insistLimit is how long it may take until an operator succeeds, while other
// faults come and go.
const insistLimit = 30 * time.Minute

// replace loses a node with its disk: the others remove it, and a new one of the
// same name joins. One at a time, so that the others are a quorum when other
// faults are over.
func (w *World) replace(f *Fault) {
	n := w.target(f)
	if !w.replacing.TryLock() {
		return
	}
	defer w.replacing.Unlock()
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	if err := n.crash(f.Silent); err != nil {
		w.logger.Warn("closing a dead process", "node", n.name, "error", err)
	}
	removed := w.insist(n, func(ctx context.Context, by *process) error {
		err := by.node.Remove(ctx, n.name, []byte(`{"eventName":"RemoveNode"}`))
		if errors.Is(err, cluster.ErrNoMember) {
			return nil // an attempt whose answer was lost
		}
		return err
	})
	if !removed {
		return
	}
	if err := os.RemoveAll(n.cfg.DataDir); err != nil {
		w.fail("replace", "%v", err)
	}
	n.mu.Lock()
	n.disk = NewDisk(n.disk.rng)
	n.mu.Unlock()
	var token string
	w.insist(n, func(ctx context.Context, by *process) (err error) {
		if token == "" {
			token, err = by.node.Token(ctx, time.Hour, []byte(`{"eventName":"CreateJoinToken"}`))
		}
		if err != nil {
			return err
		}
		return n.start(ctx, func(cfg cluster.Config) error { return cluster.Join(ctx, cfg, token) })
	})
}

// insist has an operator try something with the help of running nodes until it
// works, and says whether it did before the world ended.
func (w *World) insist(n *Node, try func(ctx context.Context, by *process) error) bool {
	others, began := w.others(n), time.Now()
	for i := 0; sleep(w.ended, time.Second) == nil; i++ {
		if time.Since(began) > insistLimit {
			w.fail("liveness", "an operator has tried for %v to replace %s", insistLimit, n.name)
			w.end()
			break
		}
		by := others[i%len(others)].running()
		if by == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(w.ended, attemptLimit)
		err := try(ctx, by)
		cancel()
		if err == nil {
			return true
		}
		w.logger.Warn("an operator tries again", "node", n.name, "error", err)
	}
	return false
}
