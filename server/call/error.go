package call

import "fmt"

// Error is an AWS exception: what the client sees, and what the audit record
// says of a refused call.
type Error struct {
	Code    string // "NotFoundException"; the body's __type
	Message string // empty: the body has no message member
	Status  int    // HTTP status; 0 means 400
	// RecordCode is the errorCode of the audit record where it differs from Code
	// (AccessDenied for AccessDeniedException).
	RecordCode string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Errorf makes an Error with HTTP status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: 400}
}
