package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline is a raft.AppendPipeline that ends with its first failure. After a
// failure Raft reads no further answers, but may send once more before it
// notices. raft.NetworkTransport's pipeline then waits for a reader and its
// sender waits for it, for ever: the follower gets heartbeats and never again an
// entry, and this node's Raft cannot be shut down (hashicorp/raft issue 612).
type pipeline struct {
	raft.AppendPipeline
	stalled func() bool
	answers chan raft.AppendFuture
	once    sync.Once
	closed  chan struct{}
}

func newPipeline(inner raft.AppendPipeline, stalled func() bool) *pipeline {
	p := &pipeline{
		AppendPipeline: inner,
		stalled:        stalled,
		answers:        make(chan raft.AppendFuture),
		closed:         make(chan struct{}),
	}
	go p.relay()
	return p
}

// relay hands answers on to Raft, up to the first failure. Closing the inner
// pipeline then frees whoever is sending.
func (p *pipeline) relay() {
	for {
		select {
		case answer := <-p.AppendPipeline.Consumer():
			failed := answer.Error() != nil || !answer.Response().Success
			select {
			case p.answers <- answer:
			case <-p.closed:
				return
			}
			if failed {
				p.AppendPipeline.Close()
				return
			}
		case <-p.closed:
			return
		}
	}
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if p.stalled() {
		return nil, errStalled
	}
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}
