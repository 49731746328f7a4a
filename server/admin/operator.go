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
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// operatorType is the userIdentity type of an operator. It is none of AWS's: no
// AWS principal can do what operators do.
const operatorType = "Operator"

// newCall begins the call of an operator: the operating system's user uid.
func newCall(uid int, userAgent, region string, now time.Time) *call.Call {
	return &call.Call{
		Service: record.AdminService, RequestID: uuid.NewString(), EventID: uuid.NewString(), Time: now, Region: region,
		SourceIP: "local", UserAgent: userAgent,
		Principal: call.Principal{Type: operatorType, PrincipalID: "uid:" + strconv.Itoa(uid)},
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
	account, refusal, err := record.Perform(ctx, tx, c, initializeCluster(f.Identity, f.Generation), &NewAccount{Name: f.AccountName})
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	return account.(*Account), nil
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
