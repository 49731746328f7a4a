package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

// The front end's own refusals ("Common Errors", KMS API reference). They come
// before authentication, or when nothing was recorded, and say nothing that a
// stranger may not know.
var (
	errTooLarge = &call.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: "The request entity is too large."}
	errAborted = &call.Error{Code: "RequestAbortedException", Status: http.StatusBadRequest,
		Message: "The request was aborted before its body was read."}
	errUnknownOperation = &call.Error{Code: "UnknownOperationException", Status: http.StatusBadRequest}
)

// The answers to failures: those that AWS SDKs retry.
var (
	errThrottled = &call.Error{Code: "ThrottlingException", Status: http.StatusBadRequest,
		Message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."}
	errTimeout = &call.Error{Code: "DependencyTimeoutException", Status: http.StatusServiceUnavailable,
		Message: "The system timed out while trying to fulfill the request. You can retry the request."}
	errInternal = &call.Error{Code: "KMSInternalException", Status: http.StatusInternalServerError,
		Message: "The request was rejected because an internal exception occurred. The request can be retried."}
)

var errPanic = errors.New("server: an operation panicked")

// failures maps what can go wrong inside Cofre to what the client sees. What is
// not in it is internal.
var failures = []struct {
	cause  error
	answer *call.Error
}{
	{cluster.ErrOverloaded, errThrottled},
	{cluster.ErrContention, errThrottled},
	{cluster.ErrUnavailable, errTimeout},
	{cluster.ErrUnknown, errTimeout},
	{errRevoked, errTimeout},
	{cluster.ErrClosed, errInternal},
	{cluster.ErrDiverged, errInternal},
	{hsm.ErrTimeout, errTimeout},
	{hsm.ErrUnavailable, errInternal},
	{hsm.ErrClosed, errInternal},
	{hsm.ErrNoDomain, errInternal},
	{context.DeadlineExceeded, errTimeout},
	{context.Canceled, errTimeout}, // the client has gone, or the node is going
}

// outcome answers what the client gets for an error, and the failure that an
// operator should hear of, nil where it was the client's doing.
func outcome(err error) (answer *call.Error, failure error) {
	if refused := (*unauthenticated)(nil); errors.As(err, &refused) {
		return refused.refusal, nil
	}
	if answer := (*call.Error)(nil); errors.As(err, &answer) {
		return answer, nil
	}
	if errors.Is(err, call.ErrThrottled) {
		return errThrottled, nil
	}
	for _, row := range failures {
		if errors.Is(err, row.cause) {
			return row.answer, err
		}
	}
	return errInternal, err
}
