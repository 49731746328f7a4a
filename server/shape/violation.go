package shape

import (
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// violation is one constraint that one value does not meet.
type violation struct {
	value      string // quoted as messages show it; "" where it is not shown
	path       string // relative to the structure or list that found it
	constraint string
}

// maxViolations bounds how many violations a message lists: a list of a thousand
// bad elements makes no answer of a megabyte.
const maxViolations = 20

// validationError words violations as AWS does: "2 validation errors detected:
// Value ” at 'keyId' failed to satisfy constraint: …; Value null at …".
func validationError(found []violation) error {
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(found)))
	if len(found) == 1 {
		b.WriteString(" validation error detected: ")
	} else {
		b.WriteString(" validation errors detected: ")
	}
	for i, v := range found[:min(len(found), maxViolations)] {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("Value ")
		if v.value != "" {
			b.WriteString(v.value + " ")
		}
		b.WriteString("at '" + v.path + "' failed to satisfy constraint: " + v.constraint)
	}
	return &call.Error{Code: "ValidationException", Message: b.String(), Status: 400}
}
