package state

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// CustomKeyStore is a key store that is somebody's own: keys in it are used
// through an external key store proxy, or in an HSM cluster.
//
// Whoever creates, changes or deletes one touches the KeyStoreDirectory of its
// account and Region, so that one guarded read covers what has to be unique among
// them. Every use of a key in the store reads the store's record by guard: a
// change to its connection acts at once.
type CustomKeyStore struct {
	AccountID  string `cbor:"1,keyasint"`
	Region     string `cbor:"2,keyasint"`
	ID         string `cbor:"3,keyasint"` // cks- and 17 hex digits
	Name       string `cbor:"4,keyasint"` // unique in account and Region
	Type       string `cbor:"5,keyasint"` // AWS's CustomKeyStoreType
	Created    int64  `cbor:"6,keyasint"` // Unix milliseconds
	Connection string `cbor:"7,keyasint"` // AWS's ConnectionState
	ErrorCode  string `cbor:"8,keyasint,omitempty"`

	// Of an external key store.
	Connectivity string     `cbor:"9,keyasint,omitempty"`  // AWS's XksProxyConnectivity
	Endpoint     string     `cbor:"10,keyasint,omitempty"` // https://xks.example.com
	Path         string     `cbor:"11,keyasint,omitempty"` // /prefix/kms/xks/v1
	VPCService   string     `cbor:"12,keyasint,omitempty"`
	VPCOwner     string     `cbor:"13,keyasint,omitempty"` // account id
	AccessKeyID  string     `cbor:"14,keyasint,omitempty"`
	Secret       hsm.Sealed `cbor:"15,keyasint"` // the proxy's raw secret access key, or the cluster's password, under the secrets key

	// Of a store in an HSM cluster.
	ClusterID   string `cbor:"16,keyasint,omitempty"`
	TrustAnchor string `cbor:"17,keyasint,omitempty"` // PEM
}

// Connected says whether keys of the store can be used.
func (s *CustomKeyStore) Connected() bool { return s.Connection == Connected }

// The types of custom key stores (CustomKeyStoreType, AWS KMS API reference), which
// are also the origins of the keys in them (OriginType).
const (
	CloudHSM         = "AWS_CLOUDHSM"
	ExternalKeyStore = "EXTERNAL_KEY_STORE"
)

// The connection states that there are (ConnectionState, AWS KMS API reference).
// CONNECTING and DISCONNECTING are none of ours: both changes happen at one instant.
const (
	Connected    = "CONNECTED"
	Disconnected = "DISCONNECTED"
	Failed       = "FAILED"
)

// The connectivities of external key stores (XksProxyConnectivityType, AWS KMS API
// reference).
const (
	PublicEndpoint     = "PUBLIC_ENDPOINT"
	VPCEndpointService = "VPC_ENDPOINT_SERVICE"
)

// KeyStoreDirectory stands for all custom key stores of an account and Region.
type KeyStoreDirectory struct{}

// ExternalKey says which KMS key an external key belongs to: there is one at most
// in a store. It is written and deleted with the KMS key.
type ExternalKey struct {
	KeyID string `cbor:"1,keyasint"`
}

// ClusterUse says which custom key store an HSM cluster belongs to: one at most, of
// whatever account, since who is logged in to a token can use all that is in it.
type ClusterUse struct {
	AccountID string `cbor:"1,keyasint"`
	Region    string `cbor:"2,keyasint"`
	StoreID   string `cbor:"3,keyasint"`
}

// The tables. The comment gives the identifier.
var (
	CustomKeyStores     = fsm.Table[CustomKeyStore]{Name: "custom-key-store"}       // account id, region, store id
	KeyStoreDirectories = fsm.Table[KeyStoreDirectory]{Name: "key-store-directory"} // account id, region
	KeyStoreCounts      = fsm.Table[Count]{Name: "key-store-count"}                 // account id, region, store id: of keys
	ClusterUses         = fsm.Table[ClusterUse]{Name: "cluster-use"}                // cluster id
	ExternalKeys        = fsm.Table[ExternalKey]{Name: "external-key"}              // account id, region, store id, external key id
)
