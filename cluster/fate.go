package cluster

import (
	"errors"
	"fmt"
	"sync"
)

// fate is whether and why a node has ended. Once it has, nothing is answered.
type fate struct {
	once   sync.Once
	ended  chan struct{} // closed at the end
	err    error         // why; valid once ended is closed
	failed chan error    // gets the error of a failure
}

func newFate() *fate {
	return &fate{ended: make(chan struct{}), failed: make(chan error, 1)}
}

// end ends the node: with a failure, or with nil where it was closed. Only the
// first call has an effect; it answers whether it was this one.
func (f *fate) end(failure error) (first bool) {
	f.once.Do(func() {
		first = true
		f.err = ErrClosed
		if failure != nil {
			f.failed <- failure
		}
		switch {
		case errors.Is(failure, ErrDiverged):
			f.err = failure
		case failure != nil:
			f.err = fmt.Errorf("%w: %w", ErrClosed, failure)
		}
		close(f.ended)
	})
	return first
}

// check is nil while the node lives.
func (f *fate) check() error {
	select {
	case <-f.ended:
		return f.err
	default:
		return nil
	}
}
