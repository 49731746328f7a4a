package state

import (
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// KeyState is the state of a KMS key ("Key states of AWS KMS keys" in the KMS
// developer guide). The numbers are for ever.
type KeyState uint8

// The key states.
const (
	Enabled         KeyState = 1
	Disabled        KeyState = 2
	PendingDeletion KeyState = 3
	PendingImport   KeyState = 4
	Unavailable     KeyState = 5
	// Of multi-Region keys. Nothing makes a key Creating or Updating today: both
	// changes happen at one instant.
	Creating               KeyState = 6
	PendingReplicaDeletion KeyState = 7
	Updating               KeyState = 8
)

// String is AWS's name of the state.
func (s KeyState) String() string {
	switch s {
	case Enabled:
		return "Enabled"
	case Disabled:
		return "Disabled"
	case PendingDeletion:
		return "PendingDeletion"
	case PendingImport:
		return "PendingImport"
	case Unavailable:
		return "Unavailable"
	case Creating:
		return "Creating"
	case PendingReplicaDeletion:
		return "PendingReplicaDeletion"
	case Updating:
		return "Updating"
	}
	return fmt.Sprintf("KeyState(%d)", uint8(s))
}

// Key is a KMS key.
//
// Its children are the records whose identifiers begin with the key's and the
// aliases that point to it. Whoever changes a child touches the key
// (fsm.Table.Touch), so that one guarded read of the key guards all of them.
// Read the key first, then its children without guard: a child that has changed
// since then belongs to a newer revision of the key, and the commit conflicts.
// Grants are the exception (see Grant).
type Key struct {
	AccountID   string      `cbor:"1,keyasint"`
	Region      string      `cbor:"2,keyasint"`
	ID          string      `cbor:"3,keyasint"` // UUID, or mrk- and 32 hex digits
	State       KeyState    `cbor:"4,keyasint"`
	Description string      `cbor:"5,keyasint,omitempty"`
	Created     int64       `cbor:"6,keyasint"`           // Unix milliseconds
	Deletion    int64       `cbor:"7,keyasint,omitempty"` // Unix milliseconds; set in PendingDeletion
	Usage       string      `cbor:"8,keyasint"`           // AWS's KeyUsage
	Spec        hsm.KeySpec `cbor:"9,keyasint"`
	Origin      string      `cbor:"10,keyasint"` // AWS's Origin
	MultiRegion bool        `cbor:"11,keyasint,omitempty"`
	MaterialID  string      `cbor:"12,keyasint,omitempty"` // the current material; 64 hex digits

	// Of a key that can be rotated.
	RotationPeriod    int   `cbor:"13,keyasint,omitempty"` // days between automatic rotations; 0 where they are off
	NextRotation      int64 `cbor:"14,keyasint,omitempty"` // Unix milliseconds; when automatic rotation is due
	OnDemandRotations int   `cbor:"15,keyasint,omitempty"` // so far
	Rotations         int   `cbor:"16,keyasint,omitempty"` // so far, of both types: the current material's Ordinal

	// Of a multi-Region key. Each of the related keys knows all of them, so that it
	// can be described by itself: whoever changes the set writes every one.
	Primary       string   `cbor:"17,keyasint,omitempty"` // Region of the primary key; "" means Region
	Replicas      []string `cbor:"18,keyasint,omitempty"` // Regions of the replica keys, sorted
	PendingWindow int      `cbor:"19,keyasint,omitempty"` // days; set in PendingReplicaDeletion

	// Of a key whose Origin is EXTERNAL; Settle computes them from its materials, so
	// that the key can be described by itself.
	Imported bool  `cbor:"20,keyasint,omitempty"` // all of its materials are there
	ValidTo  int64 `cbor:"21,keyasint,omitempty"` // when the first of them expires, Unix milliseconds; 0 where none does

	// Managed is the alias of a key that a service made for an account, "alias/aws/s3":
	// its policy follows from it. Empty where the key is a customer's.
	Managed string `cbor:"22,keyasint,omitempty"`

	// Of a key in a custom key store, whose type is the key's Origin. State is that of
	// the key by itself: while the store is not connected, the key is unavailable.
	KeyStoreID string `cbor:"23,keyasint,omitempty"`
	XksKeyID   string `cbor:"24,keyasint,omitempty"` // the external key, in an external key store
	ClusterID  string `cbor:"25,keyasint,omitempty"` // the store's cluster, in one that has a cluster
	BackingKey string `cbor:"26,keyasint,omitempty"` // the label of the key in the cluster
}

// ARN is the key's Amazon resource name.
func (k *Key) ARN() string {
	return "arn:aws:kms:" + k.Region + ":" + k.AccountID + ":key/" + k.ID
}

// PrimaryRegion is the Region of a multi-Region key's primary key.
func (k *Key) PrimaryRegion() string {
	if k.Primary == "" {
		return k.Region
	}
	return k.Primary
}

// Replica says whether the key is a replica of a multi-Region primary key.
func (k *Key) Replica() bool { return k.PrimaryRegion() != k.Region }

// KeyMaterial is one generation of a key's material, wrapped. A child of the key.
//
// A key whose Origin is EXTERNAL keeps the record of a material that was deleted
// or has expired, so that only the same can be imported in its place. Until all
// of them are there, the key is pending import; the one that is pending rotation
// does not count.
type KeyMaterial struct {
	ID      string         `cbor:"1,keyasint"` // 64 hex digits
	Created int64          `cbor:"2,keyasint"` // Unix milliseconds
	Wrapped hsm.WrappedKey `cbor:"3,keyasint"` // empty while the material is not imported

	// Of imported material.
	Pending     bool   `cbor:"4,keyasint,omitempty"` // waits for RotateKeyOnDemand to make it the current one
	ValidTo     int64  `cbor:"5,keyasint,omitempty"` // Unix milliseconds; 0 where it does not expire
	Description string `cbor:"6,keyasint,omitempty"` // AWS's KeyMaterialDescription

	// Of material that a rotation made the current one.
	Ordinal      int    `cbor:"8,keyasint,omitempty"`  // how many materials the key had before
	Rotated      int64  `cbor:"9,keyasint,omitempty"`  // Unix milliseconds
	RotationType string `cbor:"10,keyasint,omitempty"` // AWS's RotationType
}

// The types of rotation (RotationType, AWS KMS API reference).
const (
	RotationAutomatic = "AUTOMATIC"
	RotationOnDemand  = "ON_DEMAND"
)

// Imported says whether the material is there.
func (m *KeyMaterial) Imported() bool { return len(m.Wrapped.Wrapped) > 0 }

// Settle computes what follows for a key whose Origin is EXTERNAL from all its
// materials: whoever imports, deletes or rotates one calls it on the key that he
// is about to put. One that is pending rotation does not belong to the key yet.
// A key that lacks a material is pending import, and one that has got the last of
// them is enabled, unless it is to be deleted.
func (k *Key) Settle(materials []*KeyMaterial) {
	k.Imported, k.ValidTo = k.MaterialID != "", 0
	for _, m := range materials {
		switch {
		case m.Pending:
		case !m.Imported():
			k.Imported = false
		case m.ValidTo != 0 && (k.ValidTo == 0 || m.ValidTo < k.ValidTo):
			k.ValidTo = m.ValidTo
		}
	}
	switch {
	case !k.Imported:
		k.ValidTo = 0
		if k.State == Enabled || k.State == Disabled {
			k.State = PendingImport
		}
	case k.State == PendingImport:
		k.State = Enabled
	}
}

// The origins of key material (OriginType, AWS KMS API reference).
const (
	OriginKMS      = "AWS_KMS"
	OriginExternal = "EXTERNAL"
)

// Alias is a name of a key. A child of the key that it points to.
type Alias struct {
	AccountID string `cbor:"1,keyasint"`
	Region    string `cbor:"2,keyasint"`
	Name      string `cbor:"3,keyasint"` // with "alias/"
	KeyID     string `cbor:"4,keyasint"`
	Created   int64  `cbor:"5,keyasint"` // Unix milliseconds
	Updated   int64  `cbor:"6,keyasint"` // Unix milliseconds
}

// ARN is the alias's Amazon resource name.
func (a *Alias) ARN() string {
	return "arn:aws:kms:" + a.Region + ":" + a.AccountID + ":" + a.Name
}

// KeyAlias says that a key has an alias: the index behind ListAliases by key. A
// child of the key.
type KeyAlias struct{}

// TagSet holds a key's tags; absent where it has none. A child of the key.
type TagSet struct {
	Tags []Tag `cbor:"1,keyasint"` // sorted by key
}

// Tag is a tag.
type Tag struct {
	Key   string `cbor:"1,keyasint"`
	Value string `cbor:"2,keyasint"`
}

// KeyPolicy is a key's policy; absent where it has AWS's default policy. A child
// of the key.
type KeyPolicy struct {
	Text string `cbor:"1,keyasint"`
	// IDs are the unique ids that the users and roles had which Text names, when it
	// was put: whoever gets one of the names later is somebody else.
	IDs map[string]string `cbor:"2,keyasint,omitempty"`
}

// KeyUsage is the last successful cryptographic operation with a key. Every such
// operation writes it without reading it, and nothing guards on it: a busy key
// must not conflict with itself (docs/adr/0007-last-use.md). It goes when the key
// goes; changing it does not touch the key.
type KeyUsage struct {
	Operation string `cbor:"1,keyasint"`
	Time      int64  `cbor:"2,keyasint"` // Unix milliseconds
	RequestID string `cbor:"3,keyasint"`
	EventID   string `cbor:"4,keyasint"` // of the audit record
}

// Deletion says that a key is to be deleted: the steward's agenda.
type Deletion struct{}

// Expiration says that imported material expires: another agenda of the steward.
type Expiration struct{}

// Rotation says that a key's automatic rotation is due: another one.
type Rotation struct{}

// Announcement is an audit record that a transaction owes to the ledger beside
// its own, exactly the bytes that are hashed: another agenda.
type Announcement struct {
	Event []byte `cbor:"1,keyasint"`
}

// DueTime writes Unix milliseconds so that the texts sort as the times do.
func DueTime(ms int64) string { return fmt.Sprintf("%016d", ms) }

// The tables. The comment gives the identifier.
var (
	Keys         = fsm.Table[Key]{Name: "key"}                  // account id, region, key id
	KeyMaterials = fsm.Table[KeyMaterial]{Name: "key-material"} // account id, region, key id, material id
	Aliases      = fsm.Table[Alias]{Name: "alias"}              // account id, region, name
	KeyAliases   = fsm.Table[KeyAlias]{Name: "key-alias"}       // account id, region, key id, name
	KeyTags      = fsm.Table[TagSet]{Name: "key-tags"}          // account id, region, key id
	KeyPolicies  = fsm.Table[KeyPolicy]{Name: "key-policy"}     // account id, region, key id
	KeyUsages    = fsm.Table[KeyUsage]{Name: "key-usage"}       // account id, region, key id
	KeyCounts    = fsm.Table[Count]{Name: "key-count"}          // account id, region, part
	Deletions    = fsm.Table[Deletion]{Name: "deletion"}        // DueTime, account id, region, key id
	Expirations  = fsm.Table[Expiration]{Name: "expiration"}    // DueTime, account id, region, key id, material id
	Rotations    = fsm.Table[Rotation]{Name: "rotation"}        // DueTime, account id, region, key id

	Announcements = fsm.Table[Announcement]{Name: "announcement"} // DueTime, account id, region, key id or request id, DueTime of the act, UUID
)
