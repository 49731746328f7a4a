package operator

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type createJoinTokenRequest struct{ Hours int }

// JoinToken is a token that one node may join with. It is shown this once.
type JoinToken struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// joinTokenParameters are what records say of a join token.
type joinTokenParameters struct {
	Hours int `json:"hours"`
}

// maxTokenHours is the longest life of a join token.
const maxTokenHours = 168

func (s *Service) createJoinTokenRoute() rest.Route {
	return rest.Bind[JoinToken](rest.Spec{
		Name: "CreateJoinToken", ReadOnly: writes, Method: "POST", Path: "/v1/join-tokens",
		Summary: "Make a token that one node may join the cluster with, and get the domain keys",
	}, shape.Of(
		shape.Number("hours", shape.Integer{Min: 1, Max: maxTokenHours}, func(q *createJoinTokenRequest) *int { return &q.Hours }).Required(),
	), s.createJoinToken)
}

func (s *Service) createJoinToken(ctx context.Context, tx *fsm.Txn, c *call.Call, q *createJoinTokenRequest) (any, error) {
	c.Record.Parameters = joinTokenParameters{q.Hours}
	if err := s.permit(tx, c, "member/*"); err != nil {
		return nil, err
	}
	lifetime := time.Duration(q.Hours) * time.Hour
	token, err := s.cfg.Node.NewToken(ctx, tx, lifetime)
	if err != nil {
		return nil, err
	}
	return &JoinToken{Token: token, Expires: time.Now().Add(lifetime).UTC().Truncate(time.Second)}, nil
}
