package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// fakeLeader leads while it has a term.
type fakeLeader struct {
	changes chan bool
	term    atomic.Pointer[chan struct{}] // closed when it ends
}

func (f *fakeLeader) LeaderChanges() <-chan bool { return f.changes }

func (f *fakeLeader) Leading() (bool, <-chan struct{}) {
	term := f.term.Load()
	if term == nil {
		return false, nil
	}
	return true, *term
}

func (f *fakeLeader) elect() {
	term := make(chan struct{})
	f.term.Store(&term)
	f.changes <- true
}

func (f *fakeLeader) depose() { close(*f.term.Swap(nil)) }

func TestTheStewardWorksWhileTheNodeLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		node := &fakeLeader{changes: make(chan bool, 1)}
		var working, failing atomic.Bool
		var runs atomic.Int64
		s := &steward{leader: node, logger: hclog.NewNullLogger(), work: func(ctx context.Context) error {
			runs.Add(1)
			if failing.Load() {
				return errors.New("no quorum")
			}
			working.Store(true)
			<-ctx.Done()
			working.Store(false)
			return ctx.Err()
		}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.run(ctx)
		}()
		expect := func(when string, isWorking bool, wantRuns int64) {
			t.Helper()
			synctest.Wait()
			if working.Load() != isWorking || runs.Load() != wantRuns {
				t.Errorf("%s: working %v, %d runs", when, working.Load(), runs.Load())
			}
		}
		expect("at first", false, 0)
		node.elect()
		expect("elected", true, 1)
		node.depose()
		expect("deposed", false, 1)
		failing.Store(true)
		node.elect()
		expect("failing", false, 2)
		failing.Store(false)
		time.Sleep(stewardAgain) // of the bubble's clock
		expect("trying again", true, 3)
		cancel()
		<-done
		expect("stopped", false, 3)
	})
}
