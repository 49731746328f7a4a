package xksproxy

import (
	"context"
	"errors"
	"net/http"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/server/call"
)

// failure is an error of the specification ("Error codes"). Messages are ours.
type failure struct {
	status        int
	name, message string
}

func (f *failure) Error() string { return f.name }

var (
	errMethod          = &failure{http.StatusMethodNotAllowed, "ValidationException", "The method is not POST."}
	errPath            = &failure{http.StatusNotFound, "InvalidUriPathException", "The URI path is not valid."}
	errInvalid         = &failure{http.StatusBadRequest, "ValidationException", "One or more input parameters are invalid."}
	errUnauthenticated = &failure{http.StatusUnauthorized, "AuthenticationFailedException", "The signature is not valid."}
	errThrottled       = &failure{http.StatusTooManyRequests, "ThrottlingException", "There are too many requests at once."}
	errDenied          = &failure{http.StatusForbidden, "AccessDeniedException", "The operation is not authorized."}
	errInternal        = &failure{http.StatusInternalServerError, "InternalException", "The key manager has failed."}
	errTimeout         = &failure{http.StatusServiceUnavailable, "DependencyTimeoutException", "The key manager did not answer in time."}
)

// refused is what an exception of the KMS API is here.
func refused(code string) *failure {
	switch code {
	case "NotFoundException":
		return &failure{http.StatusNotFound, "KeyNotFoundException", "The external key was not found."}
	case "DisabledException", "KMSInvalidStateException":
		return &failure{http.StatusBadRequest, "InvalidStateException", "The external key is not enabled."}
	case "InvalidKeyUsageException":
		return &failure{http.StatusBadRequest, "InvalidKeyUsageException", "The external key does not support the operation."}
	case "InvalidCiphertextException":
		return &failure{http.StatusBadRequest, "InvalidCiphertextException", "The ciphertext or the additional authenticated data is not valid."}
	case "AccessDeniedException":
		return errDenied
	case "ValidationException":
		return errInvalid
	case "UnsupportedOperationException":
		return &failure{http.StatusNotImplemented, "UnsupportedOperationException", "The external key does not support the operation."}
	}
	return errInternal
}

// failure is what AWS KMS hears of an error. What is nobody's mistake is logged.
func (p *Proxy) failure(r *http.Request, err error) *failure {
	var f *failure
	var refusal *call.Error
	switch {
	case errors.As(err, &f):
	case errors.As(err, &refusal):
		f = refused(refusal.Code)
	case errors.Is(err, errNoUser):
		f = errDenied
	case errors.Is(err, call.ErrThrottled), errors.Is(err, cluster.ErrOverloaded):
		f = errThrottled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, cluster.ErrUnavailable), errors.Is(err, cluster.ErrUnknown), errors.Is(err, cluster.ErrContention):
		f = errTimeout
	default:
		f = errInternal
	}
	level := p.cfg.Logger.Debug
	if f == errInternal || f == errTimeout || errors.Is(err, errNoUser) {
		level = p.cfg.Logger.Warn
	}
	level("request of AWS KMS refused", "error_name", f.name, "source", sourceIP(r.RemoteAddr), "error", err)
	return f
}
