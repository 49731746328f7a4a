package xks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Failure is a kind of failure of a call to a proxy, as the specification tells
// them apart ("Error codes", KMS considerations).
type Failure uint8

// The failures.
const (
	NotConfigured     Failure = iota + 1 // the node has no route to the proxy
	Unreachable                          // no TCP connection
	TLSFailed                            // no TLS connection
	TimedOut                             // no answer in time
	Malformed                            // an answer that is not the specification's, or ValidationException
	InvalidState                         // the external key, or the key store, is disabled
	InvalidCiphertext                    // the proxy says so
	InvalidKeyUsage                      // the external key does not support the operation
	AuthenticationFailed
	AccessDenied
	KeyNotFound
	InvalidURIPath
	Throttled
	Unsupported
	DependencyTimeout // behind the proxy
	Internal          // behind or in the proxy
)

// named is what an error of a proxy's means, by its name.
func named(name string) Failure {
	switch name {
	case "InvalidStateException":
		return InvalidState
	case "InvalidCiphertextException":
		return InvalidCiphertext
	case "InvalidKeyUsageException":
		return InvalidKeyUsage
	case "AuthenticationFailedException":
		return AuthenticationFailed
	case "AccessDeniedException":
		return AccessDenied
	case "KeyNotFoundException":
		return KeyNotFound
	case "InvalidUriPathException":
		return InvalidURIPath
	case "ThrottlingException":
		return Throttled
	case "UnsupportedOperationException":
		return Unsupported
	case "DependencyTimeoutException":
		return DependencyTimeout
	case "InternalException":
		return Internal
	}
	return Malformed
}

// Error is a failed call to a proxy.
type Error struct {
	Failure Failure
	// Detail says more, for the log: it may be the proxy's own text.
	Detail string
}

func (e *Error) Error() string { return "external key store proxy: " + e.Detail }

// failed classifies the error of an exchange that got no answer. An error of the
// caller's own context is no failure of the proxy, and stays what it is.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("calling an external key store proxy: %w", ctx.Err())
	}
	kind := Unreachable
	timeout := net.Error(nil)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		kind = TimedOut
	case ofTLS(err):
		kind = TLSFailed
	}
	return &Error{Failure: kind, Detail: err.Error()}
}

func ofTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		remote       *net.OpError
		authority    x509.UnknownAuthorityError
	)
	if errors.As(err, &remote) && (remote.Op == "remote error" || remote.Op == "local error") {
		return true // an alert, as crypto/tls wraps it
	}
	if errors.Is(err, http.ErrSchemeMismatch) { // it speaks, but not TLS
		return true
	}
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &authority)
}
