package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// Status describes the node and the cluster as this node sees it.
type Status struct {
	Name     string     `json:"name"`
	Leader   string     `json:"leader"` // name; empty where none is known
	State    string     `json:"state"`  // Raft's: Leader, Follower, Candidate
	Term     uint64     `json:"term"`
	Commit   uint64     `json:"commitIndex"`
	Last     uint64     `json:"lastLogIndex"`
	FSM      fsm.Status `json:"fsm"`
	Diverged bool       `json:"diverged"`
	Members  []Member   `json:"members"`
	HSM      hsm.Info   `json:"hsm"`
	HSMError string     `json:"hsmError,omitempty"`
	Ledger   Ledger     `json:"ledger"`
	// Level is the cluster's feature level, 0 where the node has no state yet.
	// Lowest and Highest are those that this release knows.
	Level   fsm.Level `json:"featureLevel"`
	Lowest  fsm.Level `json:"lowestFeatureLevel"`
	Highest fsm.Level `json:"highestFeatureLevel"`
}

// Ledger describes the ledger's checkpoints as this node sees them.
type Ledger struct {
	Origin     string `json:"origin"`
	Checkpoint int64  `json:"checkpoint"` // records that the published checkpoint covers
	Signed     int64  `json:"signed"`     // records of the largest checkpoint that this node has signed
	// Problem says why this node does not sign, "" where it does.
	Problem string `json:"problem,omitempty"`
}

// Member is a node of the Raft configuration.
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
	// Level is the highest feature level that the member's release knows.
	Level fsm.Level `json:"highestFeatureLevel"`
}

// Status describes the node.
func (n *Node) Status() Status {
	view, _ := n.leadership.current()
	s := Status{
		Name:     n.who.Name,
		Leader:   view.name,
		State:    n.raft.State().String(),
		Term:     n.raft.CurrentTerm(),
		Commit:   n.raft.CommitIndex(),
		Last:     n.raft.LastIndex(),
		FSM:      n.store.Status(),
		Diverged: errors.Is(n.fate.check(), ErrDiverged),
		HSM:      n.partition.Info(),
		HSMError: n.partition.problem(),
		Ledger:   n.ledgerStatus(),
		Level:    n.Level(),
		Lowest:   n.cfg.levels.lowest,
		Highest:  n.cfg.levels.highest,
	}
	for _, server := range n.servers() {
		s.Members = append(s.Members, Member{
			Name:    string(server.ID),
			Address: string(server.Address),
			Voter:   server.Suffrage == raft.Voter,
			Level:   n.announced(string(server.ID)),
		})
	}
	return s
}

// Admitted is what the replicated state knows of a member.
type Admitted struct {
	Name    string
	Serial  string // of the token that holds its identity key
	Joined  int64  // Unix milliseconds
	Removed int64  // when it was taken out, Unix milliseconds; 0 where it was not
}

// Members answers who is a member by a view of the state, those included that are
// leaving, sorted by name.
func (n *Node) Members(view fsm.View) (members []Admitted, err error) {
	err = memberTable.Scan(view, nil, nil, func(_ []string, m *member) (bool, error) {
		if !m.Gone {
			members = append(members, Admitted{Name: m.Name, Serial: m.Serial, Joined: m.Joined, Removed: m.Removed})
		}
		return true, nil
	})
	return members, err
}

// lateEntries is how many committed entries the state may be behind and still
// be taken for up to date.
const lateEntries = 256

// Ready is nil where the node can serve: quorum, caught up, partition alive, not
// diverged. Otherwise it says what is wrong.
func (n *Node) Ready() error {
	if err := n.fate.check(); err != nil {
		return err
	}
	view, _ := n.leadership.current()
	server, placed := n.server(n.who.Name)
	switch {
	case n.disk.stalled():
		return errStalled
	case !placed || server.Suffrage != raft.Voter:
		return errors.New("cluster: the node is not a voting member yet")
	case !view.known():
		return fmt.Errorf("%w: no leader is known", ErrUnavailable)
	case !view.leading && time.Since(n.raft.LastContact()) > 2*n.cfg.Timing.Heartbeat:
		return fmt.Errorf("%w: the leader is silent", ErrUnavailable)
	}
	commit, applied := n.raft.CommitIndex(), n.store.Applied()
	switch {
	case commit == 0: // Raft does not keep it: heartbeats alone do not tell a node that it lags
		return fmt.Errorf("%w: it is not known yet what is committed", ErrUnavailable)
	case applied+lateEntries < commit:
		return fmt.Errorf("cluster: the state is %d entries behind", commit-applied)
	}
	if err := n.partition.check(); err != nil {
		return fmt.Errorf("cluster: the HSM partition does not work: %w", err)
	}
	return nil
}
