package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// releases are two binaries: the one under test, and a later one that knows one
// feature level more.
type releases struct{ present, next string }

// The feature levels of the two, see fsm.Level.
const (
	presentLevel = 1
	nextLevel    = 2
)

// nextTag is the build tag of the later release.
const nextTag = "cofre_nextlevel"

func upgradable(w *world) bool { return w.releases.next != "" }

// upgrade has every member run the later release, one after the other, some after
// a way back. Then the cluster is at its feature level, and the present release
// does not start any more. It happens once.
func (w *world) upgrade(r *rand.Rand) {
	w.regroup(func() {
		if w.upgraded {
			return
		}
		members := w.shuffled(r)
		for i, v := range members {
			w.rerun(v, w.releases.next)
			if i < len(members)-1 && r.IntN(3) == 0 {
				w.atLevel(presentLevel, v)
				w.rerun(v, w.releases.present)
				w.rerun(v, w.releases.next)
			}
		}
		for _, v := range w.victims {
			v.SetBinary(w.releases.next) // those that are no members yet
		}
		w.upgraded = true
		v := members[r.IntN(len(members))]
		w.atLevel(nextLevel, v)
		w.seize(v, func() { w.outdated(v) })
	})
}

// rerun stops a node and starts it as another release, and waits as an operator
// does before the next one.
func (w *world) rerun(v *victim, binary string) {
	w.seize(v, func() {
		w.note("  %s runs %s", v.Name, binary)
		w.stop(v)
		v.SetBinary(binary)
		w.start(v)
		w.awaitVote(v)
	})
}

// atLevel waits until a node sees the cluster at a feature level.
func (w *world) atLevel(level int, v *victim) {
	w.insist(fmt.Sprintf("coming to feature level %d", level), []*victim{v}, func(by *victim) error {
		status, err := by.Status()
		if err == nil && int(status.Level) != level {
			err = fmt.Errorf("%s sees level %d", by.Name, status.Level)
		}
		return err
	})
}

// outdated starts a node as the present release, which must refuse and say why.
func (w *world) outdated(v *victim) {
	w.stop(v)
	v.SetBinary(w.releases.present)
	w.start(v)
	ctx, cancel := context.WithTimeout(context.Background(), refuseLimit)
	defer cancel()
	code, err := v.AwaitEnd(ctx)
	want := fmt.Sprintf("the cluster is at %d and the release knows no more than %d", nextLevel, presentLevel)
	switch {
	case err != nil:
		w.fail("upgrade", "the old release: %v", err)
		v.Kill()
	case code != 1 || !strings.Contains(v.Log(1), want):
		w.fail("upgrade", "the old release ended with code %d: %s", code, v.Log(1))
	}
	v.SetBinary(w.releases.next)
	w.start(v)
}

// wellUpgraded: after an upgrade all members are at the new level.
func (w *world) wellUpgraded() error {
	if !w.upgraded {
		return nil
	}
	for _, v := range w.members() {
		status, err := v.Status()
		if err != nil {
			return err
		}
		if status.Level != nextLevel {
			return fmt.Errorf("%s sees feature level %d", v.Name, status.Level)
		}
	}
	return nil
}
