package faults

import (
	"context"
	"math/rand/v2"
	"time"
)

// fullDisk takes all of a disk's space, at once or but for some bytes.
func (w *world) fullDisk(r *rand.Rand) {
	v := w.some(r)
	if r.IntN(2) == 0 {
		v = w.leader(r)
	}
	if !v.diskBusy.TryLock() {
		return
	}
	defer v.diskBusy.Unlock()
	defer v.excuse()()
	spare := r.Int64N(2) * r.Int64N(256<<10)
	w.note("  %s's disk is full but for %d bytes", v.Name, spare)
	w.check("filling a disk", v.disk.fill(spare))
	w.while(r)
	w.check("emptying a disk", v.disk.empty())
}

// misbehaves puts a node's module, or all but one node's, into a state for a while.
func misbehaves(state int32) func(*world, *rand.Rand) {
	return func(w *world, r *rand.Rand) {
		victims := w.shuffled(r)
		switch r.IntN(4) {
		case 0:
			victims = victims[1:]
		case 1:
			victims = victims[:1]
		default:
			victims = []*victim{w.leader(r)}
		}
		for _, v := range victims {
			if !v.moduleBusy.TryLock() {
				continue
			}
			defer v.moduleBusy.Unlock()
			w.note("  %s's module is in state %d", v.Name, state)
			defer v.excuse()()
			w.check("breaking a module", v.module.set(state))
			defer func() { w.check("mending a module", v.module.set(moduleWell)) }()
		}
		w.while(r)
	}
}

// forgetsSessions has the tokens of nodes lose all that they kept in memory.
func (w *world) forgetsSessions(r *rand.Rand) { w.upset(r, moduleForgetsSessions) }

// logsOut has the tokens of nodes log everybody out.
func (w *world) logsOut(r *rand.Rand) { w.upset(r, moduleLogsOut) }

// upset has something happen once to a token, again and again. The next call
// carries it out.
func (w *world) upset(r *rand.Rand, state int32) {
	for range 1 + r.IntN(5) {
		if v := w.some(r); v.moduleBusy.TryLock() {
			w.note("  %s's module: %d", v.Name, state)
			over := v.excuse() // where it starts just then
			w.check("upsetting a module", v.module.set(state))
			sleep(context.Background(), span(r, 0, 2*time.Second))
			w.check("mending a module", v.module.set(moduleWell)) // where nothing was called
			over()
			v.moduleBusy.Unlock()
		}
	}
}
