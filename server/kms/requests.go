package kms

import "github.com/cofre-kms/cofre/server/shape"

// keyRequest is the request of operations that only name a key.
type keyRequest struct{ KeyID string }

func keyRequestShape() *shape.Struct[keyRequest] {
	return shape.Of(shape.Text("KeyId", keyIDType(), func(q *keyRequest) *string { return &q.KeyID }).Required())
}

// listRequest is the request of operations that list something, of a key or, for
// some, of all keys.
type listRequest struct {
	KeyID  string
	Limit  int
	Marker string
}

// listShape is the shape of lists that belong to a key.
func listShape() *shape.Struct[listRequest] {
	key := listKeyID().Required()
	return shape.Of(append([]shape.Member[listRequest]{key}, listPage()...)...)
}

func listKeyID() shape.Member[listRequest] {
	return shape.Text("KeyId", keyIDType(), func(q *listRequest) *string { return &q.KeyID })
}

func listPage() []shape.Member[listRequest] {
	return pageOf(func(q *listRequest) *listRequest { return q })
}

// pageOf are Limit and Marker in a request that has a listRequest.
func pageOf[T any](of func(*T) *listRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Number("Limit", limitType(), func(q *T) *int { return &of(q).Limit }),
		shape.Text("Marker", markerType(), func(q *T) *string { return &of(q).Marker }),
	}
}

// listParameters are the requestParameters of a list.
type listParameters struct {
	KeyID  string `json:"keyId,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Marker string `json:"marker,omitempty"`
}

// recorded answers the parameters for the record: null where none was sent.
func (q *listRequest) recorded() any {
	if *q == (listRequest{}) {
		return nil
	}
	return (*listParameters)(q)
}
