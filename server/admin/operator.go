package admin

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// Principal is the operator at the other end of a connection to the socket. Its
// records are the operator account's.
func Principal(r *http.Request, tx *fsm.Txn) (*call.Principal, error) {
	c := &call.Call{Principal: principal(uidOf(r))}
	return &c.Principal, recipient(c, tx.View())
}

func principal(uid int) call.Principal {
	return call.Principal{Type: operator.PrincipalType, PrincipalID: "uid:" + strconv.Itoa(uid)}
}

// newCall begins the call of an operator: the operating system's user uid.
func newCall(uid int, userAgent, region string, now time.Time) *call.Call {
	return &call.Call{
		Service: record.AdminService, RequestID: uuid.NewString(), EventID: uuid.NewString(), Time: now, Region: region,
		SourceIP: "local", UserAgent: userAgent,
		Principal: principal(uid),
	}
}

// recipient sets whose ledger record it is: the operator account's.
func recipient(c *call.Call, view fsm.View) error {
	system, _, err := state.Systems.Peek(view, state.SystemID)
	if err == nil && system != nil {
		c.Principal.AccountID = system.Operator
	}
	return err
}

// Account is the operator account with its administrator's credentials, which are
// shown this once.
type Account = operator.Credentials

// Founding is the first transaction of a cluster.
type Founding struct {
	Identity    *identity.Service
	Generation  hsm.Generation // the domain key's
	AccountName string         // of the operator account
	Region      string
	UID         int // who does it
	UserAgent   string
	Time        time.Time
}

// Genesis writes what a cluster begins with, and its first record: the operator
// account with its administrator.
func Genesis(ctx context.Context, tx *fsm.Txn, f Founding) (*Account, error) {
	c := newCall(f.UID, f.UserAgent, f.Region, f.Time)
	account, refusal, err := record.Perform(ctx, tx, c, initializeCluster(&f), nil)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	return account.(*Account), nil
}

// What the record of the first transaction says.
type (
	initializeParameters struct {
		AccountName string `json:"accountName"`
	}
	initializeElements struct {
		AccountID   string `json:"accountId"`
		UserARN     string `json:"userArn"`
		AccessKeyID string `json:"accessKeyId"`
	}
)

func initializeCluster(f *Founding) *call.Operation {
	return &call.Operation{Name: "InitializeCluster", Run: func(ctx context.Context, tx *fsm.Txn, c *call.Call, _ any) (any, error) {
		c.Record.Parameters = initializeParameters{f.AccountName}
		made, err := f.Identity.Genesis(ctx, tx, f.Generation, f.AccountName)
		if err != nil {
			return nil, err
		}
		c.Record.Response = initializeElements{made.AccountID, made.UserARN, made.AccessKeyID}
		c.Principal.AccountID = made.AccountID // it is the operator account
		return operator.NewCredentials(made), nil
	}}
}

// uidKey is the context key of the user at the other end of a connection. An
// http.Server has no other way to hand on what belongs to a connection.
type uidKey struct{}

func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, uidKey{}, peerUID(conn))
}

func uidOf(r *http.Request) int {
	if uid, ok := r.Context().Value(uidKey{}).(int); ok {
		return uid
	}
	return unknownUID
}

// unknownUID stands for a user that the operating system does not name.
const unknownUID = -1
