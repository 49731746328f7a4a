package rest

import (
	"context"
	"reflect"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
)

// Spec is what a route is called and where it is.
type Spec struct {
	Name     string // the operation: "ListMembers"; policies call it cofre:ListMembers
	ReadOnly bool   // CloudTrail's readOnly
	Method   string // "GET"; GET and DELETE have no body
	Path     string // "/v1/members/{memberName}"
	Summary  string // one line of documentation
	// Media are the content types of answers that are no JSON.
	Media []string
}

// Route is an operation with its place. It is immutable.
type Route struct {
	Spec
	call.Operation
	Request shape.Description
}

// Bind makes a route of a typed method. Resp is what its answers are made of, or
// any where it answers [Raw] or [Stream]: run answers a Resp, or a call.Later that does.
func Bind[Resp, Req any](spec Spec, request *shape.Struct[Req],
	run func(context.Context, *fsm.Txn, *call.Call, *Req) (any, error)) Route {
	d := request.Describe()
	op := call.Bind(spec.Name, spec.ReadOnly, func(body []byte, req *Req) error {
		err := request.Decode(body, req)
		if refusal, ok := err.(*call.Error); ok {
			return query.Translate(refusal)
		}
		return err
	}, run)
	op.Response = reflect.TypeFor[Resp]()
	return Route{Spec: spec, Operation: op, Request: d}
}

// Operations are the operations of routes.
func Operations(routes []Route) []call.Operation {
	operations := make([]call.Operation, 0, len(routes))
	for _, r := range routes {
		operations = append(operations, r.Operation)
	}
	return operations
}

// hasBody says whether requests of a method have a body.
func hasBody(method string) bool { return method == "POST" || method == "PUT" || method == "PATCH" }
