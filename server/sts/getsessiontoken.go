package sts

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/shape"
)

// usualSessionToken is how long a user's own session lasts, in seconds.
const usualSessionToken = 12 * 60 * 60

type getSessionTokenRequest struct {
	DurationSeconds         int
	SerialNumber, TokenCode string
}

func getSessionTokenShape() *shape.Struct[getSessionTokenRequest] {
	type r = getSessionTokenRequest
	return shape.Of(
		shape.Number("DurationSeconds", shape.Integer{Min: 900, Max: 129600}, func(q *r) *int { return &q.DurationSeconds }),
		shape.Text("SerialNumber", serialNumberType(), func(q *r) *string { return &q.SerialNumber }),
		shape.Text("TokenCode", tokenCodeType(), func(q *r) *string { return &q.TokenCode }),
	)
}

type getSessionTokenParameters struct {
	DurationSeconds int    `json:"durationSeconds,omitempty"`
	SerialNumber    string `json:"serialNumber,omitempty"`
}

type getSessionTokenResponse struct{ Credentials credentials }

// getSessionToken needs no permission, and long-term credentials
// ("GetSessionToken", STS API reference). There are no MFA devices.
func (s *Service) getSessionToken(ctx context.Context, tx *fsm.Txn, c *call.Call, q *getSessionTokenRequest) (*getSessionTokenResponse, error) {
	c.Record.Parameters = getSessionTokenParameters{q.DurationSeconds, q.SerialNumber}
	switch {
	case c.Principal.Session != nil:
		return nil, denied("Cannot call GetSessionToken with session credentials")
	case q.SerialNumber != "" || q.TokenCode != "":
		return nil, denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	seconds := q.DurationSeconds
	if seconds == 0 {
		seconds = usualSessionToken
	}
	made, err := s.issue(ctx, tx, c, &identity.Session{
		AccountID: c.Principal.AccountID, IssuerID: c.Principal.PrincipalID, Source: c.Principal.AccessKeyID,
	}, seconds)
	if err != nil {
		return nil, err
	}
	return &getSessionTokenResponse{*made}, nil
}
