package state

import "github.com/cofre-kms/cofre/fsm"

// Grant lets one principal use one key ("Grants in AWS KMS" in the KMS developer
// guide). It never changes.
//
// Grants are no children of their key in the sense of Key: they come and go
// while the key is busy, so they do not touch it. What is decided by the grants
// of a grantee is guarded by the Grantee record instead, which every change to
// them writes.
type Grant struct {
	ID             string     `cbor:"1,keyasint"` // 64 hex digits
	AccountID      string     `cbor:"2,keyasint"` // of the key
	Region         string     `cbor:"3,keyasint"` // of the key
	KeyID          string     `cbor:"4,keyasint"`
	Name           string     `cbor:"5,keyasint,omitempty"`
	Created        int64      `cbor:"6,keyasint"` // Unix milliseconds
	Grantee        Principal  `cbor:"7,keyasint"`
	Retiring       *Principal `cbor:"8,keyasint,omitempty"`
	IssuingAccount string     `cbor:"9,keyasint"`            // account id
	Operations     []string   `cbor:"10,keyasint"`           // AWS's GrantOperation
	Equals         []Pair     `cbor:"11,keyasint,omitempty"` // EncryptionContextEquals
	Subset         []Pair     `cbor:"12,keyasint,omitempty"` // EncryptionContextSubset
	SourceARN      string     `cbor:"13,keyasint,omitempty"` // SourceArn
	Slot           string     `cbor:"14,keyasint"`           // of its entries in GranteeGrants
	Twin           string     `cbor:"15,keyasint,omitempty"` // its entry in GrantTwins; "" where it has no name
}

// Principal is whom a grant names.
type Principal struct {
	// ARN is what the grant was made with, or the name of a service.
	ARN string `cbor:"1,keyasint"`
	// ID is what the principal is recognized by: the unique id of a user (AIDA…),
	// so that another user of the same name is somebody else; the id of an account;
	// the name of a service.
	ID string `cbor:"2,keyasint"`
	// Service is true for an AWS service.
	Service bool `cbor:"3,keyasint,omitempty"`
}

// Pair is an entry of an encryption context.
type Pair struct {
	Key   string `cbor:"1,keyasint"`
	Value string `cbor:"2,keyasint"`
}

// Grantee counts the grants that a principal has of a key; absent where it has
// none. Whoever adds or removes one of them writes it, so that one guarded read
// guards all of them: read it first, then the entries and grants without guard.
type Grantee struct {
	Grants int64 `cbor:"1,keyasint"`
}

// GranteeGrant says that a grant allows its grantee an operation. The slot of the
// identifier says under which encryption contexts, so that the few grants that
// can matter to a request are found among very many.
type GranteeGrant struct{}

// GrantTwin finds the grant that a CreateGrant with a Name has made already.
type GrantTwin struct {
	GrantID string `cbor:"1,keyasint"`
}

// RetirableGrant says that a principal may retire a grant: the index behind
// ListRetirableGrants.
type RetirableGrant struct{}

// Count is a part of a number of records; absent where it is 0. Those who count
// are spread over the parts by the id that they count, to be in nobody's way.
type Count struct {
	N int64 `cbor:"1,keyasint"`
}

// GrantSweep says that a key is deleted and has left grants: the steward's agenda.
type GrantSweep struct{}

// The tables of grants. The comment gives the identifier.
var (
	Grants          = fsm.Table[Grant]{Name: "grant"}                  // account id, region, key id, grant id
	Grantees        = fsm.Table[Grantee]{Name: "grantee"}              // account id, region, key id, principal id
	GranteeGrants   = fsm.Table[GranteeGrant]{Name: "grantee-grant"}   // account id, region, key id, principal id, operation, slot, grant id
	GrantTwins      = fsm.Table[GrantTwin]{Name: "grant-twin"}         // account id, region, key id, 64 hex digits
	RetirableGrants = fsm.Table[RetirableGrant]{Name: "grant-retirer"} // principal id, region, account id of the key, key id, grant id
	GrantSweeps     = fsm.Table[GrantSweep]{Name: "grant-sweep"}       // DueTime, account id, region, key id
	GrantCounts     = fsm.Table[Count]{Name: "grant-count"}            // account id, region, key id, part
)
