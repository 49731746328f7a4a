package rig

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// pollInterval is how often a condition is looked at.
const pollInterval = 10 * time.Millisecond

// Poll runs condition until it answers nil, and otherwise answers its last error
// when ctx is done.
func Poll(ctx context.Context, condition func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// Await fails the test unless condition becomes nil within the limit.
func Await(t testing.TB, limit time.Duration, what string, condition func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := Poll(ctx, condition); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}
