package policy

// Request is what somebody wants to do. It is read only, and only during
// [Evaluate].
type Request struct {
	Principal *Principal
	Action    string // "kms:Encrypt"; letter case does not matter
	Resource  string // an ARN, or "*" for actions that have no resource
	// Account is the 12 digits of the account that the resource belongs to.
	Account string
	// Context answers condition keys; nil means that none is present.
	Context Context
}

// Context answers the values of condition keys. Implementations compute what is
// asked for, so that a request costs only what its policies look at.
type Context interface {
	// Get answers the values of a condition key, none where the key is absent. The
	// key is in ASCII lower case, and so are the names that belong to it:
	// "kms:encryptioncontext:department", "aws:principaltag/team". The values are
	// shared and must not be changed. Binary values are their bytes.
	Get(key string) []string
}

// Principal is who makes a request.
type Principal struct {
	Account string // 12 digits; empty for an AWS service
	// ARN is of the user, the account's root user, or the session
	// (arn:aws:sts::123456789012:assumed-role/ROLE/SESSION).
	ARN string
	// ID is the user's unique id (AIDA…), empty for others.
	ID string
	// Root says that it is the account's root user, for whom no identity policy
	// speaks and who has all permissions of the account.
	Root bool
	// Issuer is the ARN of a session's role with its path, or of a federated user's
	// user; IssuerID is its unique id (AROA…, AIDA…). Empty for others.
	Issuer, IssuerID string
	// Service is an AWS service's name ("cloudtrail.amazonaws.com"), Federated a web
	// or SAML identity's provider. Empty for others.
	Service, Federated string
}

// session says whether the principal acts with what another one gave it.
func (p *Principal) session() bool { return p.Issuer != "" || p.IssuerID != "" }

// Reach is how a resource's policy, or a grant, names a principal. What it gives
// depends on it.
type Reach uint8

// The ways of naming a principal, from the least to the most.
const (
	// Unnamed: not at all.
	Unnamed Reach = iota
	// ByAccount: by its account, which then decides with its own policies.
	ByAccount
	// ByIssuer: a session, by its role (or by "*"). It gets what the role's
	// permissions boundary and its own session policies leave.
	ByIssuer
	// ByName: itself.
	ByName
)
