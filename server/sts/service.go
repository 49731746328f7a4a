package sts

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/query"
)

// Namespace is that of the API's answers.
const Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// Sessions makes temporary credentials; *identity.Service does.
type Sessions interface {
	// NewSession draws credentials for a session and seals its token. It writes
	// nothing.
	NewSession(ctx context.Context, view fsm.View, session *identity.Session) (*identity.Temporary, error)
}

// Config configures the service.
type Config struct {
	Sessions Sessions
}

// Service serves the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Operations is the table of the API.
func (s *Service) Operations() []call.Operation {
	const reads = true // CloudTrail counts the making of credentials as reading
	return []call.Operation{
		query.Bind("GetAccessKeyInfo", reads, getAccessKeyInfoShape(), s.getAccessKeyInfo),
		query.Bind("GetCallerIdentity", reads, getCallerIdentityShape(), s.getCallerIdentity),
		query.Bind("GetSessionToken", reads, getSessionTokenShape(), s.getSessionToken),
	}
}
