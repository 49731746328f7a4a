package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/sigv4"
)

// exchange is one request on its way through the server.
type exchange struct {
	request *http.Request
	call    call.Call
	op      *operation
	start   time.Time
	body    *body

	charged []string // the quotas that the request was taken from
	local   Local    // who calls where the connection says so; nil where a signature does
}

// serve is the path of every operation: read, authenticate, decode, run and
// record as one transaction, answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.run(w, r, &exchange{op: s.lookup(r, nil)})
}

func (s *Server) run(w http.ResponseWriter, r *http.Request, x *exchange) {
	x.request, x.start, x.body = r, s.now(), newBody()
	defer x.body.free()
	x.call.Time, x.call.SourceIP = s.dated(), sourceIP(r.RemoteAddr)
	x.call.RequestID, x.call.EventID = newIDs(x.call.Time)
	response, err := s.answer(r, x)
	s.respond(w, x, response, err)
}

// answer answers the response, or a *call.Error that the client gets as it is,
// or a failure (errors.go).
func (s *Server) answer(r *http.Request, x *exchange) (response any, err error) {
	defer func() {
		if p := recover(); p != nil {
			response, err = nil, panicked(p)
		}
	}()
	if err := x.body.read(r, s.maxBody, &s.large); err != nil {
		return nil, err
	}
	x.op = s.lookup(r, x.body.bytes())
	// The slot is taken when the body is there: a client that sends slowly holds
	// a connection, and nobody else up.
	if !s.busy.enter() {
		return nil, errThrottled
	}
	defer s.busy.leave()
	ctx, cancel := context.WithTimeout(r.Context(), s.deadline)
	defer cancel()
	return s.attempt(ctx, r, x)
}

// panicked makes a failure of a panic. The value itself may hold anything; only
// the runtime's own, which hold no data, are repeated.
func panicked(p any) error {
	if cause, ok := p.(runtime.Error); ok {
		return fmt.Errorf("%w: %w\n%s", errPanic, cause, debug.Stack())
	}
	return fmt.Errorf("%w with a %T\n%s", errPanic, p, debug.Stack())
}

// attempt authenticates and transacts; a second time where the credentials
// changed in between, on a view that includes the change.
func (s *Server) attempt(ctx context.Context, r *http.Request, x *exchange) (any, error) {
	switch {
	case x.local != nil:
		return s.trusted(ctx, r, x)
	case x.op.Vouch != nil:
		return s.vouched(ctx, r, x)
	}
	hash := sha256.Sum256(x.body.bytes())
	for range 2 {
		who, err := s.auth.authenticate(ctx, r, x.op.service.scope, hash)
		if err != nil {
			return nil, err
		}
		x.describe(r, who.claim.Region)
		if !s.charge(x, who.account()) {
			return nil, errThrottled
		}
		response, err := s.transact(ctx, x, who)
		if !errors.Is(err, errMoved) {
			return response, err
		}
		if err := s.node.Sync(ctx); err != nil {
			return nil, err
		}
	}
	return nil, &unauthenticated{sigv4.ErrUnrecognized}
}

// transact runs the operation on behalf of a caller and answers once it is
// committed. Everything that decides whether the caller may is read through the
// transaction, so it holds at the instant of the commit.
func (s *Server) transact(ctx context.Context, x *exchange, who *caller) (any, error) {
	op, request := decode(x)
	return s.perform(ctx, x, who.account(), op, request, func(tx *fsm.Txn) (*call.Principal, error) { return s.auth.confirm(tx, who) })
}

// vouched is the path of an operation that needs no signature. A request that
// nobody vouches for is turned away like one whose signature is wrong.
func (s *Server) vouched(ctx context.Context, r *http.Request, x *exchange) (any, error) {
	x.describe(r, s.region)
	request, err := x.decode()
	var principal *call.Principal
	if err == nil { // what vouches for the request may have been made a moment ago, elsewhere
		err = s.node.Sync(ctx)
	}
	if err == nil {
		principal, err = x.op.Vouch(ctx, s.node.View(), request)
	}
	if refusal := (*call.Error)(nil); errors.As(err, &refusal) {
		return nil, &unauthenticated{refusal}
	}
	if err != nil {
		return nil, err
	}
	return s.perform(ctx, x, principal.AccountID, x.op.Operation, request, func(*fsm.Txn) (*call.Principal, error) { return principal, nil })
}

// perform runs an operation of a caller, whom who answers by reads that guard the
// transaction, and answers once it is committed.
func (s *Server) perform(ctx context.Context, x *exchange, account string, op *call.Operation, request any,
	who func(*fsm.Txn) (*call.Principal, error)) (any, error) {
	var response any
	var refusal *call.Error
	var committed *fsm.Txn
	var used func()
	index, err := s.commit(ctx, account, func(tx *fsm.Txn) error {
		committed = tx
		principal, err := who(tx)
		if err != nil {
			return err
		}
		x.call.Principal = *principal
		if response, refusal, err = record.Perform(ctx, tx, &x.call, op, request); err == nil {
			used, err = s.uses.note(tx, &x.call)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	used()
	if refusal != nil {
		return nil, refusal
	}
	if later, ok := response.(call.Later); ok {
		if plantedLater {
			return later(s.node.View())
		}
		if err := s.node.Wait(ctx, index); err != nil {
			return nil, err
		}
		return s.conclude(committed, later)
	}
	return response, nil
}

// commit commits a transaction, after another one where run asks for it, which
// this node then has to have applied.
func (s *Server) commit(ctx context.Context, account string, run func(*fsm.Txn) error) (index uint64, err error) {
	index, err = s.node.Transact(ctx, account, run)
	first := (*call.First)(nil)
	if !errors.As(err, &first) {
		return index, err
	}
	index, err = s.node.Transact(ctx, account, func(tx *fsm.Txn) error { return first.Run(ctx, tx) })
	if err == nil {
		err = s.node.Wait(ctx, index)
	}
	if err != nil {
		return 0, err
	}
	return s.node.Transact(ctx, account, run)
}

// errRevoked is returned when a list was read after something had changed that
// allowed it. The call has its record by then, so it is not one of those of which
// nothing happened.
var errRevoked = errors.New("server: the right to a list changed while it was read")

// conclude answers a call by what its node has applied by now, which may be more
// than the transaction: entries that come after a change by which the caller may
// see nothing any more. Then the client is told to come again, and refused.
func (s *Server) conclude(tx *fsm.Txn, later call.Later) (any, error) {
	response, err := later(s.node.View())
	if err != nil {
		return nil, err
	}
	holds, err := tx.Holds(s.node.View()) // reads go forward: it held when the list was read
	if err == nil && !holds {
		err = errRevoked
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

// decode answers what is to be run: the operation, or the refusal of a request
// that is not valid. That is recorded too, without parameters.
func decode(x *exchange) (*call.Operation, any) {
	if x.op == x.op.service.unknown {
		return x.op.Operation, nil
	}
	request, err := x.decode()
	if err == nil {
		return x.op.Operation, request
	}
	return refusing(x.op.Name, x.op.ReadOnly, err), nil
}

func (x *exchange) decode() (any, error) {
	input, err := x.op.service.protocol.input(x.request, x.body.bytes())
	if err != nil {
		return nil, err
	}
	return x.op.Decode(input)
}

// refusing is an operation that is refused whatever the request.
func refusing(name string, readOnly bool, refusal error) *call.Operation {
	return &call.Operation{Name: name, ReadOnly: readOnly,
		Run: func(context.Context, *fsm.Txn, *call.Call, any) (any, error) { return nil, refusal }}
}

// unknownName stands in records and figures for operations that there are not:
// what the client wrote is not for the ledger to repeat.
const unknownName = "UnknownOperation"
