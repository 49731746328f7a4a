package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// herald tells followers at once that an entry is committed, when no further
// entry is on its way that would tell them. hashicorp/raft leaves that to
// CommitTimeout: followers would lag by 50 to 100 ms after every burst, and so
// would every transaction on one of them that conflicts, every Sync and every
// list.
//
// What it sends is Raft's own message, an AppendEntries without entries, for the
// term and from the leader that committed the entry: true whenever it arrives,
// and ignored by a follower that has gone on to another term.
type herald struct {
	self      raft.RPCHeader
	transport raft.Transport
	// peers answers the other members.
	peers func() []raft.Server
	// leads says whether this node leads in a term.
	leads func(term uint64) bool

	mu      sync.Mutex
	busy    map[raft.ServerID]bool // peers with an announcement under way
	running sync.WaitGroup
}

// announce tells the peers that an entry of this leader's term is committed. It
// does not block. A peer that has not answered the last time is left to Raft.
func (h *herald) announce(index, term uint64) {
	if !h.leads(term) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, peer := range h.peers() {
		if h.busy[peer.ID] {
			continue
		}
		h.busy[peer.ID] = true
		h.running.Go(func() {
			h.tell(peer, index, term)
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.busy, peer.ID)
		})
	}
}

// tell announces to one peer. Its answer does not matter: who does not have the
// entry yet learns with it that it is committed.
func (h *herald) tell(peer raft.Server, index, term uint64) {
	message := &raft.AppendEntriesRequest{
		RPCHeader:         h.self,
		Term:              term,
		PrevLogEntry:      index,
		PrevLogTerm:       term,
		LeaderCommitIndex: index,
	}
	_ = h.transport.AppendEntries(peer.ID, peer.Address, message, new(raft.AppendEntriesResponse))
}
