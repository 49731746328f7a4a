package sts

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type getCallerIdentityRequest struct{}

func getCallerIdentityShape() *shape.Struct[getCallerIdentityRequest] {
	return shape.Of[getCallerIdentityRequest]()
}

type getCallerIdentityResponse struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string
}

// getCallerIdentity needs no permission: no policy can forbid a caller to learn
// who it is ("GetCallerIdentity", STS API reference).
func (s *Service) getCallerIdentity(_ context.Context, _ *fsm.Txn, c *call.Call, _ *getCallerIdentityRequest) (*getCallerIdentityResponse, error) {
	return &getCallerIdentityResponse{ARN: c.Principal.ARN, UserID: c.Principal.PrincipalID, Account: c.Principal.AccountID}, nil
}
