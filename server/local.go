package server

import (
	"context"
	"net/http"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
)

// Local answers who is at the other end of a connection that needs no signature,
// because only those can open it who may. Its reads guard the transaction.
type Local func(r *http.Request, tx *fsm.Txn) (*call.Principal, error)

// LocalHandler answers requests to one service, by its name, from connections
// that say who calls. They take the path of all others but for the signature and
// the quotas.
func (s *Server) LocalHandler(name string, who Local) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := s.lookup(r, nil)
		if op.service.name != name {
			http.NotFound(w, r)
			return
		}
		s.run(w, r, &exchange{op: op, local: who})
	})
}

// localAddress is the sourceIPAddress of records of local calls.
const localAddress = "local"

// trusted is the path of an operation whose caller the connection says.
func (s *Server) trusted(ctx context.Context, r *http.Request, x *exchange) (any, error) {
	x.describe(r, s.region)
	x.call.SourceIP = localAddress
	op, request := decode(x)
	return s.perform(ctx, x, localAddress, op, request, func(tx *fsm.Txn) (*call.Principal, error) { return x.local(r, tx) })
}
