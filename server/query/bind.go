package query

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// Bind makes an operation of a typed method whose request is a form.
func Bind[Req, Resp any](name string, readOnly bool, request *shape.Struct[Req],
	run func(context.Context, *fsm.Txn, *call.Call, *Req) (Resp, error)) call.Operation {
	return call.Bind(name, readOnly, Decoder(request), run)
}

// Decoder decodes forms into requests. Its error is a *call.Error.
func Decoder[Req any](request *shape.Struct[Req]) func(body []byte, req *Req) error {
	d := request.Describe()
	return func(body []byte, req *Req) error {
		text, err := object(body, &d)
		if err == nil {
			err = request.Decode(text, req)
		}
		if refusal, ok := err.(*call.Error); ok {
			return Translate(refusal)
		}
		return err
	}
}
