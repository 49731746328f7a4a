package operator

import (
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

// Account describes an account.
type Account struct {
	AccountID   string     `json:"accountId"`
	AccountName string     `json:"accountName"`
	State       string     `json:"state"` // ACTIVE or CLOSED
	Operator    bool       `json:"operator"`
	Created     time.Time  `json:"created"`
	Closed      *time.Time `json:"closed,omitempty"`
}

// Credentials are of a new administrator. The secret is shown this once.
type Credentials struct {
	AccountID       string `json:"accountId"`
	AccountName     string `json:"accountName"`
	UserName        string `json:"userName"`
	UserARN         string `json:"userArn"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// The states of an account.
const (
	active = "ACTIVE"
	closed = "CLOSED"
)

// What records say of the operations on accounts.
type (
	accountParameters struct {
		AccountID   string `json:"accountId,omitempty"`
		AccountName string `json:"accountName,omitempty"`
		UserName    string `json:"userName,omitempty"`
	}
	credentialsElements struct {
		AccountID   string `json:"accountId"`
		UserARN     string `json:"userArn"`
		AccessKeyID string `json:"accessKeyId"`
	}
)

func describeAccount(a *state.Account) *Account {
	d := &Account{
		AccountID: a.ID, AccountName: a.Name, State: active, Operator: a.Operator, Created: *at(max(a.Created, 1)), Closed: at(a.Closed),
	}
	if a.Closed != 0 {
		d.State = closed
	}
	return d
}

// NewCredentials are the credentials that identity made, with the secret.
func NewCredentials(c *identity.Credentials) *Credentials {
	return &Credentials{
		AccountID: c.AccountID, AccountName: c.AccountName, UserName: c.UserName, UserARN: c.UserARN,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: string(c.Secret.Reveal()),
	}
}

func elements(c *identity.Credentials) credentialsElements {
	return credentialsElements{c.AccountID, c.UserARN, c.AccessKeyID}
}

// account reads an account through the transaction. The caller has been found to
// be an operator.
func account(tx *fsm.Txn, id string) (*state.Account, error) {
	a, err := state.Accounts.Get(tx, id)
	if err == nil && a == nil {
		err = notFound("There is no account %s.", id)
	}
	return a, err
}
