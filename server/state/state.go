// Package state declares the records that the services keep in the replicated
// state, and their tables. Their numbers (CBOR keys) are for ever.
package state

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// Account is a tenant.
type Account struct {
	ID       string `cbor:"1,keyasint"` // 12 digits
	Name     string `cbor:"2,keyasint,omitempty"`
	Created  int64  `cbor:"3,keyasint"`           // Unix milliseconds
	Operator bool   `cbor:"4,keyasint,omitempty"` // its principals may use the operators' part of the admin API
	Closed   int64  `cbor:"5,keyasint,omitempty"` // Unix milliseconds; 0 where it is open
}

// User is an IAM user. A child of its account's Directory.
type User struct {
	AccountID string `cbor:"1,keyasint"`
	Name      string `cbor:"2,keyasint"`
	Path      string `cbor:"3,keyasint"`
	ID        string `cbor:"4,keyasint"`           // AIDA…, never used twice
	Created   int64  `cbor:"5,keyasint"`           // Unix milliseconds
	Boundary  string `cbor:"6,keyasint,omitempty"` // ARN of the policy that bounds what the others allow
	Tags      []Tag  `cbor:"7,keyasint,omitempty"` // sorted by key
}

// ARN is the user's Amazon resource name.
func (u *User) ARN() string { return "arn:aws:iam::" + u.AccountID + ":user" + u.Path + u.Name }

// AccessKey is a user's long-term credential.
type AccessKey struct {
	ID        string     `cbor:"1,keyasint"` // AKIA…
	AccountID string     `cbor:"2,keyasint"`
	UserName  string     `cbor:"3,keyasint"`
	UserID    string     `cbor:"4,keyasint"`
	Active    bool       `cbor:"5,keyasint"`
	Created   int64      `cbor:"6,keyasint"` // Unix milliseconds
	Secret    hsm.Sealed `cbor:"7,keyasint"` // the secret under the secrets key; aad is the ID

	// Service is the service whose credential it is: "s3.amazonaws.com"; empty where
	// it is a user's. It is then of the operator account and of no user.
	Service string `cbor:"8,keyasint,omitempty"`
}

// AccessKeyUse is when an access key was last used, to a quarter of an hour.
// Whoever uses it writes it without reading it, and nothing guards on it. It goes
// with the access key.
type AccessKeyUse struct {
	Time    int64  `cbor:"1,keyasint"` // Unix milliseconds
	Service string `cbor:"2,keyasint"` // "kms"
	Region  string `cbor:"3,keyasint"`
}

// ServicePrincipal says that a service has an access key: a storage server, a
// database or a volume manager that operators have let in.
type ServicePrincipal struct {
	Service     string `cbor:"1,keyasint"` // s3.amazonaws.com
	AccessKeyID string `cbor:"2,keyasint"`
	Description string `cbor:"3,keyasint,omitempty"`
	Created     int64  `cbor:"4,keyasint"` // Unix milliseconds
}

// System is the cluster's own record, one under the identifier "system".
type System struct {
	ClusterID  string         `cbor:"1,keyasint"` // UUID
	Generation hsm.Generation `cbor:"2,keyasint"` // domain key for new keys
	SecretsKey hsm.WrappedKey `cbor:"3,keyasint"` // seals credentials' secrets
	Created    int64          `cbor:"4,keyasint"` // Unix milliseconds
	Operator   string         `cbor:"5,keyasint"` // account id of the operator account
}

// SystemID is the identifier of the one System record.
const SystemID = "system"

// The tables. The comment gives the identifier.
var (
	Accounts   = fsm.Table[Account]{Name: "account"}      // account id
	Users      = fsm.Table[User]{Name: "user"}            // account id, lower-case user name
	AccessKeys = fsm.Table[AccessKey]{Name: "access-key"} // access key id
	Systems    = fsm.Table[System]{Name: "system"}        // SystemID

	AccessKeyUses     = fsm.Table[AccessKeyUse]{Name: "access-key-use"}        // access key id
	ServicePrincipals = fsm.Table[ServicePrincipal]{Name: "service-principal"} // service, access key id
)
