// Package rpc carries calls between nodes: many at a time over one kept
// connection to each peer.
//
// It knows no method and no certificate: connections come from its caller, and
// bodies are bytes. It is safe because its sizes and its concurrency are
// bounded, every call has a deadline, and a failed call says whether the peer
// may have seen it.
package rpc

import (
	"errors"
	"fmt"
)

// Errors of a call that got no answer; test with errors.Is.
var (
	// ErrNotSent is returned when no byte of the call left this node: the peer has
	// not seen it and never will.
	ErrNotSent = errors.New("rpc: call not sent")
	// ErrLost is returned when the connection broke under the call: the peer may
	// have seen it.
	ErrLost = errors.New("rpc: connection lost")
	// ErrTooLarge is returned for a frame over MaxBody.
	ErrTooLarge = errors.New("rpc: frame too large")
)

// MaxBody is the largest body of a call or answer in bytes.
const MaxBody = 16 << 20

// Method names what a call asks for; its caller gives the numbers a meaning.
type Method uint8

// Code classifies a refusal; its caller gives the numbers above CodeFailed a
// meaning.
type Code uint8

const (
	codeOK Code = 0
	// CodeFailed is the code of an error without one of its own.
	CodeFailed Code = 1
)

// Error is a peer's refusal.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes a refusal.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Refused says whether err is a peer's refusal with a code.
func Refused(err error, code Code) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Code == code
}
