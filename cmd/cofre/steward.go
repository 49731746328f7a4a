package main

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
)

// leader says when this node leads; *cluster.Node is one.
type leader interface {
	// Leading says whether the node leads, and closes done when it no longer does.
	Leading() (leading bool, done <-chan struct{})
	// LeaderChanges gets a value whenever Leading may have changed.
	LeaderChanges() <-chan bool
}

// steward does the work that time causes while this node leads.
type steward struct {
	leader leader
	work   func(ctx context.Context) error // until ctx is done
	logger hclog.Logger
}

// stewardAgain is how long the steward waits after a failure.
const stewardAgain = time.Second

// run runs the work whenever the node leads, until ctx is done.
func (s *steward) run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.leader.LeaderChanges():
		case <-again.C:
		}
		if leading, done := s.leader.Leading(); leading {
			s.lead(ctx, done)
			again.Reset(stewardAgain) // it may lead still, or lead again already
		}
	}
}

// lead runs the work until the node no longer leads.
func (s *steward) lead(ctx context.Context, done <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.work(ctx); err != nil && ctx.Err() == nil {
		s.logger.Warn("work failed; it will be tried again", "error", err)
	}
}
