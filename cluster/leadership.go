package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// leadership is who leads, as this node's Raft believes.
type leadership struct {
	found func() // called when a leader becomes known

	mu      sync.Mutex
	view    leaderView
	lost    chan struct{} // closed when this node's leadership ends
	changed chan struct{} // closed when view changes
	notify  chan bool     // LeaderChanges
}

// leaderView is one moment's belief.
type leaderView struct {
	name    string // of the leader; "" where none is known
	address string
	leading bool // this node is it
}

// known says whether there is a leader to turn to.
func (v leaderView) known() bool { return v.name != "" }

func newLeadership(found func()) *leadership {
	l := &leadership{
		found:   found,
		lost:    make(chan struct{}),
		changed: make(chan struct{}),
		notify:  make(chan bool, 1),
	}
	close(l.lost)
	return l
}

// follow keeps the view up to date until ctx is done. An observation only says
// that something has changed: what is now is read afterwards, so none that Raft
// drops is missed as long as one waits.
func (l *leadership) follow(ctx context.Context, r *raft.Raft) {
	observations := make(chan raft.Observation, 1)
	observer := raft.NewObserver(observations, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	r.RegisterObserver(observer)
	defer r.DeregisterObserver(observer)
	for {
		address, id := r.LeaderWithID()
		l.set(leaderView{
			name:    string(id),
			address: string(address),
			leading: r.State() == raft.Leader,
		})
		select {
		case <-observations:
		case <-ctx.Done():
			l.set(leaderView{})
			return
		}
	}
}

func (l *leadership) set(view leaderView) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if view == l.view {
		return
	}
	if view.known() && view.name != l.view.name {
		l.found()
	}
	if view.leading && !l.view.leading {
		l.lost = make(chan struct{})
	}
	if !view.leading && l.view.leading {
		close(l.lost)
	}
	l.view = view
	close(l.changed)
	l.changed = make(chan struct{})
	select {
	case <-l.notify: // nobody has taken it, and it is out of date
	default:
	}
	l.notify <- view.leading // set is the only sender, and holds mu
}

// current answers the view and a channel that is closed when it changes.
func (l *leadership) current() (leaderView, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view, l.changed
}

// leading answers whether this node leads and a channel that is closed when it
// does not.
func (l *leadership) leading() (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.leading, l.lost
}

// await returns when a leader is known. Its error is ctx's.
func (l *leadership) await(ctx context.Context) error {
	for {
		view, changed := l.current()
		if view.known() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
