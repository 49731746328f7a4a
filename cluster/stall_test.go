package cluster

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestStallSeesEveryWrite: a write that hangs is noticed though others begin and
// end beside it, and forgotten when it ends.
func TestStallSeesEveryWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStall(time.Second)
		endState := s.begin()
		endHung := s.begin()
		endState()
		<-time.After(2 * time.Second) // by the clock of the bubble
		if !s.stalled() {
			t.Error("a write hangs, and another one that ended hides it")
		}
		s.begin()()
		if !s.stalled() {
			t.Error("a write hangs, and a later one hides it")
		}
		endHung()
		if s.stalled() {
			t.Error("no write runs, and the disk is said to hang")
		}
	})
}
