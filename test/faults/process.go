package faults

import (
	"context"
	"sync"
	"time"

	"github.com/cofre-kms/cofre/test/history"
)

// sleep returns early when the test has no time any more.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// hold does something to some processes at about one moment and takes it back
// from each after a time of its own. Those that something else happens to are
// left alone.
func (w *world) hold(victims []*victim, away func(*victim), down func() time.Duration, back func(*victim)) {
	var all sync.WaitGroup
	for _, v := range victims {
		time := down()
		all.Go(func() {
			if !v.changing.TryLock() {
				return
			}
			defer v.changing.Unlock()
			w.away(v, away, time, back)
		})
	}
	all.Wait()
}

func (w *world) away(v *victim, away func(*victim), down time.Duration, back func(*victim)) {
	w.note("  %s away for %v", v.Name, down)
	away(v)
	sleep(context.Background(), down)
	w.note("  %s back", v.Name)
	back(v)
}

func (w *world) kill(v *victim) { v.Kill() }

// stop stops a node as an operator does. It has to end well.
func (w *world) stop(v *victim) {
	if err := v.Stop(); err != nil && !v.mayEnd() {
		w.fail("stop", "%s: %v", v.Name, err)
	}
}

func (w *world) start(v *victim) { w.check("starting "+v.Name, v.Start()) }

func (w *world) pause(v *victim) {
	if v.Running() {
		w.check("pausing "+v.Name, v.Pause())
	}
}

func (w *world) resume(v *victim) {
	if v.Running() {
		w.check("resuming "+v.Name, v.Resume())
	}
}

// Intervals of those who watch the cluster.
const (
	superviseEvery = time.Second
	lookEvery      = 2 * time.Second
)

// supervise starts processes that have ended by themselves, as systemd does. A
// process that had no reason to end is a problem.
func (w *world) supervise(ctx context.Context) {
	for sleep(ctx, superviseEvery) {
		for _, v := range w.members() {
			if !v.changing.TryLock() {
				continue
			}
			if v.member.Load() && !v.Running() {
				w.note("%s has ended by itself", v.Name)
				if !v.mayEnd() {
					w.fail("process", "%s has ended by itself", v.Name)
				}
				w.start(v)
			}
			v.changing.Unlock()
		}
	}
}

// look collects the trees that nodes show while all goes on.
func (w *world) look(ctx context.Context) {
	for i := 0; sleep(ctx, lookEvery); i++ {
		members := w.members()
		v := members[i%len(members)]
		if v.changing.TryLock() {
			w.lookAt(v)
			v.changing.Unlock()
		}
	}
}

func (w *world) lookAt(v *victim) {
	status, err := v.Status()
	if err != nil {
		return
	}
	if status.Diverged {
		w.fail("replicas", "%s says that it has diverged", v.Name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heads = append(w.heads, history.Head{Node: v.Name, Size: status.FSM.LedgerSize, Root: status.FSM.LedgerRoot})
}
