package operator

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

// Member is a member of the cluster.
type Member struct {
	Name    string    `json:"name"`
	Address string    `json:"address,omitempty"` // of its port for other nodes; none before it has come up
	State   string    `json:"state"`             // VOTER, LEARNER, JOINING or LEAVING
	Serial  string    `json:"tokenSerial"`       // of the HSM token with its identity key
	Joined  time.Time `json:"joined"`
}

// Members are the members of the cluster, by name.
type Members struct {
	Members []*Member `json:"members"`
}

// The states of a member.
const (
	voter   = "VOTER"
	learner = "LEARNER" // it does not vote yet: it is catching up
	joining = "JOINING" // it is admitted and has not come up yet
	leaving = "LEAVING" // it was removed, and is about to leave the Raft configuration
)

func (s *Service) listMembersRoute() rest.Route {
	return rest.Bind[Members](rest.Spec{
		Name: "ListMembers", ReadOnly: reads, Method: "GET", Path: "/v1/members", Summary: "List the members of the cluster",
	}, nothingShape(), s.listMembers)
}

func (s *Service) listMembers(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
	if err := s.permit(tx, c, "member/*"); err != nil {
		return nil, err
	}
	return call.Later(func(view fsm.View) (any, error) {
		admitted, err := s.cfg.Node.Members(view)
		if err != nil {
			return nil, err
		}
		return describeMembers(admitted, s.cfg.Node.Status().Members), nil
	}), nil
}

// describeMembers says who is a member, and what Raft's configuration says of it.
func describeMembers(admitted []cluster.Admitted, servers []cluster.Member) *Members {
	placed := make(map[string]cluster.Member, len(servers))
	for _, server := range servers {
		placed[server.Name] = server
	}
	list := &Members{Members: []*Member{}}
	for _, a := range admitted {
		server, is := placed[a.Name]
		m := &Member{Name: a.Name, Address: server.Address, State: joining, Serial: a.Serial, Joined: time.UnixMilli(a.Joined).UTC()}
		switch {
		case a.Removed != 0:
			m.State = leaving
		case server.Voter:
			m.State = voter
		case is:
			m.State = learner
		}
		list.Members = append(list.Members, m)
	}
	return list
}
