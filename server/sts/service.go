package sts

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/oidc"
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

// Access decides about roles; *authz.Authorizer does.
type Access interface {
	// PermitBy is nil where the caller may take an action with a resource of an
	// account that has a policy of its own; a *call.Error where it may not. get
	// answers the condition keys of the request. What it reads guards the
	// transaction.
	PermitBy(tx *fsm.Txn, c *call.Call, action, resource, account string, by *policy.Document, get func(key string) []string) error
	// Federated says whether a resource's policy alone allows an action to the
	// identities of a provider.
	Federated(c *call.Call, action, resource, provider, account string, by *policy.Document, get func(key string) []string) bool
	// Managed answers the text of a managed policy, of AWS or of an account; ""
	// where there is none.
	Managed(view fsm.View, account, arn string) (string, error)
}

// Tokens verifies ID tokens; *oidc.Verifier does.
type Tokens interface {
	// Verify answers what a token says, or one of the errors of package oidc.
	Verify(ctx context.Context, p oidc.Provider, raw string) (*oidc.Token, error)
}

// Config configures the service.
type Config struct {
	Sessions Sessions
	Access   Access
	Tokens   Tokens
}

// Service serves the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Operations is the table of the API.
func (s *Service) Operations() []call.Operation {
	const reads = true // CloudTrail counts the making of credentials as reading
	web := query.Bind("AssumeRoleWithWebIdentity", reads, webIdentityShape(), s.assumeRoleWithWebIdentity)
	web.Vouch = s.vouchFor
	return []call.Operation{
		query.Bind("AssumeRole", reads, assumeRoleShape(), s.assumeRole),
		web,
		query.Bind("GetAccessKeyInfo", reads, getAccessKeyInfoShape(), s.getAccessKeyInfo),
		query.Bind("GetCallerIdentity", reads, getCallerIdentityShape(), s.getCallerIdentity),
		query.Bind("GetSessionToken", reads, getSessionTokenShape(), s.getSessionToken),
	}
}
