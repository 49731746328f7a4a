package operator

import (
	"context"
	"errors"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type memberRequest struct{ Name string }

// memberParameters are what records say of an operation on a member.
type memberParameters struct {
	MemberName string `json:"memberName"`
}

func (s *Service) removeMemberRoute() rest.Route {
	return rest.Bind[struct{}](rest.Spec{
		Name: "RemoveMember", ReadOnly: writes, Method: "DELETE", Path: "/v1/members/{memberName}",
		Summary: "Take a member out of the cluster for good. No node talks to it any more; it is LEAVING until the Raft configuration has changed, and then another node may join under its name",
	}, shape.Of(shape.Text("memberName", memberNameType(), func(q *memberRequest) *string { return &q.Name }).Required()), s.removeMember)
}

func (s *Service) removeMember(_ context.Context, tx *fsm.Txn, c *call.Call, q *memberRequest) (any, error) {
	c.Record.Parameters = memberParameters{q.Name}
	if err := s.permit(tx, c, "member/"+q.Name); err != nil {
		return nil, err
	}
	err := s.cfg.Node.Expel(tx, q.Name)
	if errors.Is(err, cluster.ErrNoMember) {
		err = notFound("No member is called %q.", q.Name)
	}
	return nil, err
}
