package main

import (
	"errors"
	"net/http"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/admin"
)

// Exit codes, as documented in docs/configuration.md.
const (
	exitOK          = 0
	exitFailure     = 1 // the command was understood, and failed
	exitUsage       = 2 // the command line or the configuration is wrong
	exitPIN         = 3 // the partition refuses the PIN: trying again could lock the token
	exitDenied      = 4 // the credentials are not valid, or allow it not
	exitNotFound    = 5 // what was named does not exist
	exitConflict    = 6 // it exists already, or is in a state that forbids it
	exitUnavailable = 7 // no node answered, or none could: it may have happened or not
)

// exitCode is the exit code of a command that ended with an error, nil included.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, hsm.ErrPIN) {
		return exitPIN
	}
	if failed := (failedError{}); !errors.As(err, &failed) {
		return exitUsage
	}
	if errors.Is(err, admin.ErrUnreachable) {
		return exitUnavailable
	}
	refusal := (*admin.Refusal)(nil)
	if !errors.As(err, &refusal) {
		return exitFailure
	}
	switch status := refusal.Status; {
	case status == http.StatusForbidden:
		return exitDenied
	case status == http.StatusNotFound:
		return exitNotFound
	case status == http.StatusConflict:
		return exitConflict
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return exitUnavailable
	}
	return exitFailure
}
