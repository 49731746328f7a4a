package iam

import (
	"net/http"

	"github.com/cofre-kms/cofre/server/call"
)

func failure(status int, code, format string, args ...any) *call.Error {
	e := call.Errorf(code, format, args...)
	e.Status = status
	return e
}

// absent refuses a call that names something that is not there: kind is "user",
// "group", "role".
func absent(kind, name string) error {
	return failure(http.StatusNotFound, "NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

func noSuchEntity(format string, args ...any) error {
	return failure(http.StatusNotFound, "NoSuchEntity", format, args...)
}

// exists refuses to make what is there already: kind is "User", "Group", "Role".
func exists(kind, name string) error {
	return failure(http.StatusConflict, "EntityAlreadyExists", "%s with name %s already exists.", kind, name)
}

// inUse refuses to delete what something else hangs on.
func inUse(format string, args ...any) error {
	return failure(http.StatusConflict, "DeleteConflict", "Cannot delete entity, "+format, args...)
}

// limitExceeded refuses what a quota does not allow ("IAM and STS quotas", IAM
// user guide).
func limitExceeded(what string, limit int) error {
	return failure(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for %s: %d", what, limit)
}

func invalid(format string, args ...any) error {
	return failure(http.StatusBadRequest, "ValidationError", format, args...)
}

func malformed(format string, args ...any) error {
	return failure(http.StatusBadRequest, "MalformedPolicyDocument", format, args...)
}

// either is a failure where there is one, and otherwise a refusal.
func either(failure, refusal error) error {
	if failure != nil {
		return failure
	}
	return refusal
}
