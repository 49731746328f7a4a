package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// spareNodes are nodes beside the members: what a cluster grows by.
const spareNodes = 2

// Bounds of an operator's patience: how often he tries, and how long it may take
// until he succeeds, while other faults come and go.
const (
	insistEvery = time.Second
	insistLimit = 6 * time.Minute
)

// replace loses a node with its disk: the others remove it, and a new one joins,
// under the same name or another.
func (w *world) replace(r *rand.Rand) { w.regroup(func() { w.replaceOne(r, w.some(r), true) }) }

// replaceLeader removes the leader while it runs.
func (w *world) replaceLeader(r *rand.Rand) {
	w.regroup(func() { w.replaceOne(r, w.leader(r), r.IntN(2) == 0) })
}

// regroup runs a change of the members, where there is none: one at a time, so
// that the others are a quorum when other faults are over.
func (w *world) regroup(change func()) {
	if w.regrouping.TryLock() {
		defer w.regrouping.Unlock()
		change()
	}
}

func (w *world) replaceOne(r *rand.Rand, v *victim, lost bool) {
	name := v.Member()
	if r.IntN(2) == 0 {
		name = w.freshName(v)
	}
	w.seize(v, func() {
		w.leave(r, v, lost)
		w.enter(v, name)
	})
}

// freshName is a name that no member has had on this machine: nodeN, nodeN-2 ….
func (w *world) freshName(v *victim) string {
	v.names++
	return fmt.Sprintf("%s-%d", v.Name, v.names+1)
}

// resize lets the cluster grow, and shrink again by as many, whichever they are.
func (w *world) resize(r *rand.Rand) {
	w.regroup(func() {
		var spare []*victim
		for _, v := range w.victims {
			if !v.member.Load() {
				spare = append(spare, v)
			}
		}
		count := 1 + r.IntN(len(spare))
		for _, v := range spare[:count] {
			w.seize(v, func() { w.enter(v, w.freshName(v)) })
		}
		w.while(r)
		for range count {
			v := w.some(r)
			if r.IntN(3) == 0 {
				v = w.leader(r)
			}
			w.seize(v, func() { w.leave(r, v, r.IntN(2) == 0) })
		}
	})
}

// seize runs something with a node that no other fault has in its hands then.
func (w *world) seize(v *victim, run func()) {
	v.diskBusy.Lock()
	defer v.diskBusy.Unlock()
	v.moduleBusy.Lock()
	defer v.moduleBusy.Unlock()
	v.changing.Lock()
	defer v.changing.Unlock()
	run()
}

// leave takes a node out of the cluster and loses its disk: first the node, where
// it is lost, or while it runs and perhaps leads.
func (w *world) leave(r *rand.Rand, v *victim, lost bool) {
	w.note("  %s (%s) leaves, lost: %v", v.Name, v.Member(), lost)
	if lost {
		v.Kill()
	}
	helpers := w.others(v)
	w.insist("removing "+v.Member(), helpers, func(by *victim) error {
		_, err := by.Run("", "member", "remove", "--name", v.Member())
		if err != nil && strings.Contains(err.Error(), "No member is called") {
			return nil // an attempt whose answer was lost
		}
		return err
	})
	v.member.Store(false)
	w.cluster.Dismiss(v.Node)
	if !lost {
		w.while(r) // it runs on, and nobody listens
		v.Kill()
	}
	w.check("losing a disk", v.Wipe())
	w.note("  %s has left", v.Name)
}

// enter joins a node that has nothing, under a name, and starts it. The same token
// serves until it is in: after an answer that was lost it gets it again.
func (w *world) enter(v *victim, name string) {
	w.note("  %s enters as %s", v.Name, name)
	w.check("naming a node", v.Rename(name))
	var token []byte
	w.insist("joining "+name, w.members(), func(by *victim) (err error) {
		if token == nil {
			if token, err = by.Run("", "token", "create"); err != nil {
				return err
			}
		}
		_, err = v.Run(string(token), "join")
		return err
	})
	w.start(v)
	w.cluster.Enlist(v.Node)
	v.member.Store(true)
	w.awaitVote(v)
	w.note("  %s has entered", v.Name)
}

// awaitVote waits until a newcomer is ready, as an operator has to: before that
// the others cannot spare one more.
func (w *world) awaitVote(v *victim) {
	ctx, cancel := context.WithTimeout(context.Background(), insistLimit)
	defer cancel()
	for {
		err := v.Ready(ctx)
		if err == nil {
			return
		}
		if !v.Running() {
			w.note("    %s has ended by itself", v.Name)
			w.start(v)
		}
		if !sleep(ctx, insistEvery) {
			w.fail("liveness", "%s is not ready %v after it joined: %v", v.Name, insistLimit, err)
			return
		}
	}
}

// insist has an operator try something with the help of one node after the other
// until it works.
func (w *world) insist(what string, helpers []*victim, try func(by *victim) error) {
	ctx, cancel := context.WithTimeout(context.Background(), insistLimit)
	defer cancel()
	for i := 0; ; i++ {
		err := try(helpers[i%len(helpers)])
		if err == nil {
			return
		}
		w.note("    %s: %v", what, err)
		if !sleep(ctx, insistEvery) {
			w.fail("liveness", "%s for %v: %v", what, insistLimit, err)
			return
		}
	}
}
