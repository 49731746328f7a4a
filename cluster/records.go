package cluster

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// settings is the cluster's own record, one under the identifier "cluster".
type settings struct {
	Generation  hsm.Generation `cbor:"1,keyasint"`           // domain key for new keys
	Certificate []byte         `cbor:"2,keyasint"`           // of the cluster CA, DER
	Key         hsm.WrappedKey `cbor:"3,keyasint"`           // of the cluster CA
	Epoch       uint32         `cbor:"4,keyasint,omitempty"` // of the ledger: how often one was declared
	// Level is the cluster's feature level. It is never lowered.
	Level fsm.Level `cbor:"5,keyasint,omitempty"`
}

// voice is the record of the key by which a node signs checkpoints.
type voice struct {
	Member string `cbor:"1,keyasint"` // the member's ID: a successor of its name has a key of its own
	Public []byte `cbor:"2,keyasint"` // Ed25519
	Since  int64  `cbor:"3,keyasint"` // Unix milliseconds
}

// published is the newest checkpoint that a majority has signed.
type published struct {
	Origin string `cbor:"1,keyasint"`
	Size   int64  `cbor:"2,keyasint"`
	Note   []byte `cbor:"3,keyasint"` // the signed note
}

// member is the record of a node that was admitted.
type member struct {
	Name     string `cbor:"1,keyasint"`
	ID       string `cbor:"2,keyasint"` // as in its certificate; members of one name sort by it
	Identity []byte `cbor:"3,keyasint"` // DER SubjectPublicKeyInfo of its identity key
	Serial   string `cbor:"4,keyasint"` // of the token that holds the identity key
	Joined   int64  `cbor:"5,keyasint"` // Unix milliseconds
	// Removed is when it was taken out of the cluster, in Unix milliseconds; 0 for
	// members. Gone says that it has left the Raft configuration too.
	Removed int64 `cbor:"6,keyasint,omitempty"`
	Gone    bool  `cbor:"7,keyasint,omitempty"`
	// Level and Lowest are the highest and the lowest feature level that the
	// member's release knows, as it says when it starts.
	Level  fsm.Level `cbor:"8,keyasint,omitempty"`
	Lowest fsm.Level `cbor:"9,keyasint,omitempty"`
}

// ticket is what the cluster keeps of a join token.
type ticket struct {
	Secret  []byte `cbor:"1,keyasint"`           // SHA-256 of the secret
	Expires int64  `cbor:"2,keyasint"`           // Unix milliseconds
	Spent   []byte `cbor:"3,keyasint,omitempty"` // SHA-256 of the identity that joined with it
	Member  string `cbor:"4,keyasint,omitempty"` // its member ID
}

// The tables are the cluster's part of the state. The comment gives the identifier.
var (
	settingsTable  = fsm.Table[settings]{Name: "cluster"}     // "cluster"
	memberTable    = fsm.Table[member]{Name: "member"}        // node name
	ticketTable    = fsm.Table[ticket]{Name: "join-token"}    // token id
	voiceTable     = fsm.Table[voice]{Name: "voice"}          // node name
	publishedTable = fsm.Table[published]{Name: "checkpoint"} // "ledger"
)

// theCluster is the identifier of the only record in settingsTable.
const theCluster = "cluster"

// theLedger is the identifier of the only record in publishedTable.
const theLedger = "ledger"
