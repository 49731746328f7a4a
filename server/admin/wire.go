package admin

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/server/identity"
)

// NewAccount asks for an account: POST /v1/accounts.
type NewAccount struct {
	Name string `json:"name"` // 1 to 50 printable ASCII characters
}

// Account is a new account with its administrator's credentials, which are shown
// this once.
type Account struct {
	AccountID       string `json:"accountId"`
	AccountName     string `json:"accountName"`
	UserName        string `json:"userName"`
	UserARN         string `json:"userArn"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

func newAccount(c *identity.Credentials) *Account {
	return &Account{
		AccountID: c.AccountID, AccountName: c.AccountName, UserName: c.UserName, UserARN: c.UserARN,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: string(c.Secret.Reveal()),
	}
}

// NewToken asks for a join token: POST /v1/join-tokens.
type NewToken struct {
	Hours int `json:"hours"` // how long it is valid, 1 to 168
}

// Token is a one-time join token.
type Token struct {
	Token string `json:"token"`
}

// Head is the end of this node's ledger: GET /v1/ledger/head.
type Head struct {
	Size      int64     `json:"size"` // records
	Root      tlog.Hash `json:"root"` // RFC 6962 root at that size
	Applied   uint64    `json:"appliedIndex"`
	StateHash tlog.Hash `json:"stateHash"`
}

// Checkpoint is the published checkpoint of the ledger: GET /v1/ledger/checkpoint.
type Checkpoint struct {
	Note string `json:"note"` // C2SP tlog-checkpoint, with its signatures
}

// VerifierKeys are the members' keys for checkpoints: GET /v1/ledger/keys.
type VerifierKeys struct {
	Keys []string `json:"keys"` // C2SP signed-note
}

// failure is the body of an answer that is no success.
type failure struct {
	Error string `json:"error"`
}
