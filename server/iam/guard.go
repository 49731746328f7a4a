package iam

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// visit is a call on its way through an operation, in the caller's account.
type visit struct {
	context.Context
	tx      *fsm.Txn
	c       *call.Call
	account string
}

// bind makes an operation of a function. What it answers is the operation's
// result, nil where it has none.
func bind[Req any](s *Service, name string, readOnly bool, request *shape.Struct[Req], run func(v *visit, q *Req) (any, error)) operation {
	op := query.Bind(name, readOnly, request, func(ctx context.Context, tx *fsm.Txn, c *call.Call, q *Req) (any, error) {
		v := &visit{Context: ctx, tx: tx, c: c, account: c.Principal.AccountID}
		if directory, err := state.Directories.Get(tx, v.account); err != nil || directory == nil {
			return nil, fmt.Errorf("reading the directory of account %s: there is none: %w", v.account, err)
		}
		return run(v, q)
	})
	return operation{op, request.Describe()}
}

// permit decides whether the caller may do what the call's operation does with a
// resource.
func (s *Service) permit(v *visit, resource string) error {
	return s.cfg.Access.Permit(v.tx, v.c, "iam:"+v.c.Operation, resource)
}

// changed says that something has changed that the directory owns.
func (v *visit) changed() error { return state.Directories.Touch(v.tx, v.account) }

// arn is the ARN of something of the caller's account: "user", "/path/", "name".
func (v *visit) arn(kind, path, name string) string {
	return "arn:aws:iam::" + v.account + ":" + kind + path + name
}

// now is the call's time in Unix milliseconds.
func (v *visit) now() int64 { return v.c.Time.UnixMilli() }
