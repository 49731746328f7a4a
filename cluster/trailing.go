package cluster

import (
	"sync"
	"time"
)

// followers is how far the members are that this node has heard of while it
// leads. The log is not compacted beyond those that are catching up: one that is
// installed from a snapshot, while as many entries are committed as a compacted
// log keeps, would be asked for entries that are gone, and be installed again and
// again (hashicorp/raft keeps a fixed number). It is safe for concurrent use.
type followers struct {
	// absent is after what time a silent member has to be installed anew when it is
	// back: the log does not wait for it.
	absent time.Duration

	mu   sync.Mutex
	seen map[string]sighting
}

// sighting is what a member said last.
type sighting struct {
	applied uint64
	at      time.Time
}

// absentRounds is how many of the overseer's rounds a member may be silent.
const absentRounds = 30

func newFollowers(absent time.Duration) *followers {
	return &followers{absent: absent, seen: make(map[string]sighting)}
}

// note takes what the members said in a round.
func (f *followers) note(reports map[string]*report, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, r := range reports {
		f.seen[name] = sighting{applied: r.Applied, at: now}
	}
	for name, s := range f.seen {
		if now.Sub(s.at) > f.absent {
			delete(f.seen, name)
		}
	}
}

// forget is called while this node does not lead: others know better.
func (f *followers) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.seen)
}

// needs answers the first entry that some member may still ask for, but not one
// more than held entries before the last.
func (f *followers) needs(last, held uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := last + 1
	for _, s := range f.seen {
		first = min(first, s.applied+1)
	}
	if last > held {
		first = max(first, last-held)
	}
	return first
}
