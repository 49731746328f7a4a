package state

import "github.com/cofre-kms/cofre/fsm"

// Directory is the parent of all that IAM knows of an account: users, groups,
// roles, policies, who has which. Whoever changes any of it touches the
// directory, so that one guarded read guards every decision that rests on
// identities, whatever it looked at; identities change seldom. Read the
// directory first, then its children without guard.
type Directory struct{}

// IdentityKind says what an identity is.
type IdentityKind string

// The kinds of identities.
const (
	UserKind  IdentityKind = "user"
	GroupKind IdentityKind = "group"
	RoleKind  IdentityKind = "role"
)

// Group is an IAM group. A child of the directory.
type Group struct {
	AccountID string `cbor:"1,keyasint"`
	Name      string `cbor:"2,keyasint"`
	Path      string `cbor:"3,keyasint"`
	ID        string `cbor:"4,keyasint"` // AGPA…, never used twice
	Created   int64  `cbor:"5,keyasint"` // Unix milliseconds
}

// Role is an IAM role. A child of the directory.
type Role struct {
	AccountID   string            `cbor:"1,keyasint"`
	Name        string            `cbor:"2,keyasint"`
	Path        string            `cbor:"3,keyasint"`
	ID          string            `cbor:"4,keyasint"` // AROA…, never used twice
	Created     int64             `cbor:"5,keyasint"` // Unix milliseconds
	Description string            `cbor:"6,keyasint,omitempty"`
	Trust       string            `cbor:"7,keyasint"`           // the trust policy's text
	TrustIDs    map[string]string `cbor:"8,keyasint,omitempty"` // the unique ids of the principals that Trust names by ARN
	MaxSession  int               `cbor:"9,keyasint"`           // seconds
	Boundary    string            `cbor:"10,keyasint,omitempty"`
	Tags        []Tag             `cbor:"11,keyasint,omitempty"` // sorted by key
}

// Policy is a managed policy of an account. A child of the directory.
type Policy struct {
	AccountID   string `cbor:"1,keyasint"`
	Name        string `cbor:"2,keyasint"`
	Path        string `cbor:"3,keyasint"`
	ID          string `cbor:"4,keyasint"` // ANPA…, never used twice
	Created     int64  `cbor:"5,keyasint"` // Unix milliseconds
	Updated     int64  `cbor:"6,keyasint"` // Unix milliseconds
	Description string `cbor:"7,keyasint,omitempty"`
	Default     int    `cbor:"8,keyasint"` // the version in force
	Next        int    `cbor:"9,keyasint"` // the number of the next version
	Tags        []Tag  `cbor:"10,keyasint,omitempty"`
}

// ARN is the policy's Amazon resource name.
func (p *Policy) ARN() string { return "arn:aws:iam::" + p.AccountID + ":policy" + p.Path + p.Name }

// PolicyVersion is one version of a managed policy, v and its number.
type PolicyVersion struct {
	Text    string `cbor:"1,keyasint"`
	Created int64  `cbor:"2,keyasint"` // Unix milliseconds
}

// InlinePolicy is a policy that lives and dies with its identity.
type InlinePolicy struct {
	Name string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

// Attachment says that an identity has a managed policy.
type Attachment struct {
	ARN string `cbor:"1,keyasint"` // of this account, or of AWS: arn:aws:iam::aws:policy/…
}

// Attached is an Attachment seen from the policy.
type Attached struct{}

// Membership says that a user is in a group.
type Membership struct{}

// UserAccessKey says that a user has an access key.
type UserAccessKey struct{}

// Identity says whose a unique id is, under which name its record is found now. Absent where the identity is gone.
type Identity struct {
	AccountID string       `cbor:"1,keyasint"`
	Kind      IdentityKind `cbor:"2,keyasint"`
	Name      string       `cbor:"3,keyasint"` // lower case, as in identifiers
}

// OIDCProvider is an OpenID Connect identity provider. A child of the directory.
type OIDCProvider struct {
	AccountID   string   `cbor:"1,keyasint"`
	URL         string   `cbor:"2,keyasint"` // without https://
	ClientIDs   []string `cbor:"3,keyasint"`
	Thumbprints []string `cbor:"4,keyasint"`
	Created     int64    `cbor:"5,keyasint"` // Unix milliseconds
	Tags        []Tag    `cbor:"6,keyasint,omitempty"`
}

// ARN is the provider's Amazon resource name.
func (p *OIDCProvider) ARN() string {
	return "arn:aws:iam::" + p.AccountID + ":oidc-provider/" + p.URL
}

// ARN is the group's Amazon resource name.
func (g *Group) ARN() string { return "arn:aws:iam::" + g.AccountID + ":group" + g.Path + g.Name }

// ARN is the role's Amazon resource name.
func (r *Role) ARN() string { return "arn:aws:iam::" + r.AccountID + ":role" + r.Path + r.Name }

// The tables of IAM. The comment gives the identifier; names in identifiers are
// in lower case, since IAM's names differ by more than case ("IAM name
// requirements", IAM user guide). What an identity has is under its unique id, so
// it stays when the identity gets another name. Users are in [Users].
var (
	Directories    = fsm.Table[Directory]{Name: "directory"}           // account id
	Groups         = fsm.Table[Group]{Name: "group"}                   // account id, group name
	Roles          = fsm.Table[Role]{Name: "role"}                     // account id, role name
	Policies       = fsm.Table[Policy]{Name: "policy"}                 // account id, policy name
	PolicyVersions = fsm.Table[PolicyVersion]{Name: "policy-version"}  // account id, policy name, number as %08d
	InlinePolicies = fsm.Table[InlinePolicy]{Name: "inline-policy"}    // account id, unique id of the identity, policy name as it is
	Attachments    = fsm.Table[Attachment]{Name: "attachment"}         // account id, unique id of the identity, policy ARN
	AttachedTo     = fsm.Table[Attached]{Name: "attached-to"}          // account id, policy ARN, unique id of the identity
	UserGroups     = fsm.Table[Membership]{Name: "user-group"}         // account id, unique id of the user, of the group
	GroupUsers     = fsm.Table[Membership]{Name: "group-user"}         // account id, unique id of the group, of the user
	UserAccessKeys = fsm.Table[UserAccessKey]{Name: "user-access-key"} // account id, unique id of the user, access key id
	Identities     = fsm.Table[Identity]{Name: "identity"}             // unique id
	OIDCProviders  = fsm.Table[OIDCProvider]{Name: "oidc-provider"}    // account id, URL
)
