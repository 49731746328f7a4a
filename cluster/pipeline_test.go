package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// fullPipeline is a raft.AppendPipeline whose requests wait until it is closed.
type fullPipeline struct {
	answers chan raft.AppendFuture
	closed  chan struct{}
}

func (p *fullPipeline) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	<-p.closed
	return nil, raft.ErrPipelineShutdown
}

func (p *fullPipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

func (p *fullPipeline) Close() error {
	close(p.closed)
	return nil
}

// noEntries is the answer of a follower that lacks entries.
type noEntries struct{ raft.AppendFuture }

func (noEntries) Error() error                          { return nil }
func (noEntries) Response() *raft.AppendEntriesResponse { return &raft.AppendEntriesResponse{} }

// TestPipelineEndsWithFailure: after a failure, which is the last answer that Raft
// takes, a request that waits is given up.
func TestPipelineEndsWithFailure(t *testing.T) {
	inner := &fullPipeline{answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	p := newPipeline(inner, func() bool { return false })
	sent := make(chan error, 1)
	go func() {
		_, err := p.AppendEntries(nil, nil)
		sent <- err
	}()
	inner.answers <- noEntries{}
	if answer := <-p.Consumer(); answer.Response().Success {
		t.Error("the failure is not handed on")
	}
	select {
	case err := <-sent:
		if !errors.Is(err, raft.ErrPipelineShutdown) {
			t.Errorf("the waiting request ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the waiting request waits for ever")
	}
}
