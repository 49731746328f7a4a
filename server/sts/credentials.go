package sts

import (
	"context"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/query"
)

// credentials are temporary credentials in an answer.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      query.Time
}

// recordedSession is what the record says of a session: no secret, and not the
// token, which is none without it.
type recordedSession struct {
	Credentials      recordedAccessKey `json:"credentials"`
	AssumedRoleUser  *recordedRole     `json:"assumedRoleUser,omitempty"`
	SourceIdentity   string            `json:"sourceIdentity,omitempty"`
	PackedPolicySize int               `json:"packedPolicySize,omitempty"`
	Subject          string            `json:"subjectFromWebIdentityToken,omitempty"`
	Provider         string            `json:"provider,omitempty"`
	Audience         string            `json:"audience,omitempty"`
}

type recordedRole struct {
	AssumedRoleID string `json:"assumedRoleId"`
	ARN           string `json:"arn"`
}

type recordedAccessKey struct {
	AccessKeyID string `json:"accessKeyId"`
	Expiration  string `json:"expiration"`
}

// issue makes the credentials of a session that lasts for some seconds, and adds
// them to what is recorded.
func (s *Service) issue(ctx context.Context, tx *fsm.Txn, c *call.Call, session *identity.Session, seconds int) (*credentials, error) {
	session.Issued = c.Time.UnixMilli()
	session.Expires = c.Time.Add(time.Duration(seconds) * time.Second).UnixMilli()
	made, err := s.cfg.Sessions.NewSession(ctx, tx.View(), session)
	if err != nil {
		return nil, err
	}
	said, _ := c.Record.Response.(*recordedSession)
	if said == nil {
		said = &recordedSession{}
	}
	said.Credentials = recordedAccessKey{
		AccessKeyID: made.AccessKeyID, Expiration: time.UnixMilli(made.Expires).UTC().Format("Jan 2, 2006, 3:04:05 PM"),
	}
	c.Record.Response = said
	return &credentials{
		AccessKeyID: made.AccessKeyID, SecretAccessKey: string(made.Secret.Reveal()), SessionToken: made.Token, Expiration: query.Time(made.Expires),
	}, nil
}

func failure(status int, code, format string, args ...any) *call.Error {
	e := call.Errorf(code, format, args...)
	e.Status = status
	return e
}

func invalid(format string, args ...any) error {
	return failure(http.StatusBadRequest, "ValidationError", format, args...)
}

func denied(format string, args ...any) error {
	return failure(http.StatusForbidden, "AccessDenied", format, args...)
}
