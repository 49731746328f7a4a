package authz

import (
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// Authorizer finds policies. It is safe for concurrent use.
type Authorizer struct {
	identities  *cache[identityName, *identity]
	keyPolicies *cache[keyPolicyName, *policy.Document]
	sessions    *cache[string, *policy.Document] // session policies by their text
}

// What the caches hold, in bytes of the documents' texts; compiled, they take some
// times as much.
const (
	cachedIdentities  = 16 << 20
	cachedKeyPolicies = 16 << 20
	cachedSessions    = 4 << 20
)

// New makes an Authorizer.
func New() *Authorizer {
	return &Authorizer{
		identities:  newCache[identityName, *identity](cachedIdentities),
		keyPolicies: newCache[keyPolicyName, *policy.Document](cachedKeyPolicies),
		sessions:    newCache[string, *policy.Document](cachedSessions),
	}
}

// Caller is who makes a call, with all that speaks for it. It is immutable.
type Caller struct {
	policy.Principal
	*identity // of the user, or of a session's role
	sessions  []*policy.Document
	from      *call.Principal
}

// Caller finds the policies of a principal. It reads the directory of the
// principal's account through the transaction, which guards all that it finds
// (state.Directory).
func (a *Authorizer) Caller(tx *fsm.Txn, p *call.Principal) (*Caller, error) {
	c := &Caller{Principal: principal(p), from: p}
	if p.Service != nil { // it has no policies: those of resources name it
		c.identity = &identity{}
		return c, nil
	}
	id := c.ID
	if c.IssuerID != "" {
		id = c.IssuerID
	}
	var err error
	if c.identity, err = a.identity(tx, p.AccountID, id); err != nil {
		return nil, fmt.Errorf("reading the policies of %s: %w", p.ARN, err)
	}
	if p.Session == nil {
		return c, nil
	}
	for _, text := range p.Session.Policies {
		d, err := a.session(text)
		if err != nil {
			return nil, fmt.Errorf("reading the session policies of %s: %w", p.ARN, err)
		}
		c.sessions = append(c.sessions, d)
	}
	return c, nil
}

// principal says who somebody is to policies. What a user made for itself with
// GetSessionToken is the user.
func principal(p *call.Principal) policy.Principal {
	if p.Service != nil {
		return policy.Principal{Service: p.Service.Name, ARN: p.ARN}
	}
	who := policy.Principal{Account: p.AccountID, ARN: p.ARN, ID: p.PrincipalID, Root: p.Type == "Root"}
	if p.Session != nil && p.ARN != p.Session.Issuer.ARN {
		who.ID, who.Issuer, who.IssuerID = "", p.Session.Issuer.ARN, p.Session.Issuer.ID
	}
	return who
}

// identity answers what a user or role has.
func (a *Authorizer) identity(tx *fsm.Txn, account, id string) (*identity, error) {
	directory, err := tx.Get(state.Directories.Key(account))
	if plantedDirectory {
		directory, err = tx.View().Get(state.Directories.Key(account))
	}
	if err != nil {
		return nil, err
	}
	name := identityName{account: account, id: id}
	if directory != nil {
		name.revision = directory.Rev
	}
	if known, ok := a.identities.get(name); ok {
		return known, nil
	}
	found, err := readIdentity(tx.View(), name)
	if err == nil && name.revision != 0 { // 0: there is no directory, or this transaction is changing it
		a.identities.put(name, found, found.size)
	}
	return found, err
}

// session compiles a session policy.
func (a *Authorizer) session(text string) (*policy.Document, error) {
	if d, ok := a.sessions.get(text); ok {
		return d, nil
	}
	d, err := policy.Parse(policy.SessionPolicy, text)
	if err == nil {
		a.sessions.put(text, d, len(text))
	}
	return d, err
}

// Decide decides a request of the caller, which becomes its principal. resource
// is the policy of the resource, nil where it has none; grant is
// [policy.Policies.Grant]. A grant's reads are the caller's business.
func (c *Caller) Decide(r *policy.Request, resource *policy.Document, grant func() policy.Reach) policy.Decision {
	r.Principal = &c.Principal
	return policy.Evaluate(r, &policy.Policies{
		Resource: resource, Identity: c.policies, Boundary: c.boundary, Session: c.sessions, Grant: grant,
	})
}
