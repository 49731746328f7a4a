package admin

import "github.com/cofre-kms/cofre/server/operator"

// Checkpoint is the published checkpoint of the ledger: GET /v1/ledger/checkpoint.
type Checkpoint struct {
	Note string `json:"note"` // C2SP tlog-checkpoint, with its signatures
}

// VerifierKeys are the members' keys for checkpoints: GET /v1/ledger/keys.
type VerifierKeys struct {
	Keys []string `json:"keys"` // C2SP signed-note
}

// Account is the operator account with its administrator's credentials, which are
// shown this once.
type Account = operator.Credentials
