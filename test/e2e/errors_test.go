package e2e

import (
	"errors"
	"slices"
	"testing"

	"github.com/aws/smithy-go"
)

// code answers the type of an API error, "" for any other.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if code(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// retryable says whether AWS's clients try again after an error of Cofre's: it
// could not say what became of the call, or could not take it.
func retryable(err error) bool {
	return slices.Contains([]string{
		"KMSInternalException", "DependencyTimeoutException", "ThrottlingException",
	}, code(err))
}

// lost says whether the error is not an answer at all: the connection broke, or
// nobody listened.
func lost(err error) bool {
	var api smithy.APIError
	return err != nil && !errors.As(err, &api)
}
