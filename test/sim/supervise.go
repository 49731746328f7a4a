package sim

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/test/history"
)

// watch plays the supervisor of a node: a process that has to stop is started
// again. One that was given no reason to stop is a problem.
func (w *World) watch(n *Node) {
	w.running.Go(func() {
		for sleep(w.ended, time.Second) == nil {
			p := n.running()
			if p == nil {
				continue
			}
			w.sample(n.name, p)
			select {
			case err := <-p.node.Failed():
				w.revive(n, p, err)
			default:
			}
		}
	})
}

func (w *World) revive(n *Node, p *process, cause error) {
	if !n.changing.TryLock() {
		return // somebody else ends it already
	}
	defer n.changing.Unlock()
	if n.running() != p {
		return
	}
	if !n.currentDisk().failed() {
		w.fail("failure", "%s had to stop: %v", n.name, cause)
	}
	w.restart(n, true, 0)
}

// restart crashes a node and starts it again after a while. The caller holds
// changing.
func (w *World) restart(n *Node, silent bool, down time.Duration) {
	if err := n.crash(silent); err != nil {
		w.logger.Warn("closing a dead process", "node", n.name, "error", err)
	}
	time.Sleep(down)
	w.start(n)
}

// start starts a node that is down. Failing to is a problem: a crash damages
// nothing.
func (w *World) start(n *Node) {
	if n.running() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := n.start(ctx, nil); err != nil {
		w.fail("start", "%v", err)
		w.end()
	}
}

// sample keeps the tree that a node shows, once where several show the same.
func (w *World) sample(name string, p *process) {
	status := p.store().Status()
	w.mu.Lock()
	defer w.mu.Unlock()
	tree := history.Head{Size: status.LedgerSize, Root: status.LedgerRoot}
	if !w.shown[tree] {
		w.shown[tree] = true
		tree.Node = name
		w.heads = append(w.heads, tree)
	}
}
