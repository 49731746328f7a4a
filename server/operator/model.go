package operator

import (
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/shape"
)

// CloudTrail's readOnly.
const reads, writes = true, false

// The simple shapes.

func accountIDType() shape.String {
	return shape.String{Min: 12, Max: 12, Pattern: &shape.Pattern{Expr: `\d{12}`, Match: isDigits}}
}

func accountNameType() shape.String {
	return shape.String{Min: 1, Max: 50, Pattern: &shape.Pattern{Expr: `[!-~]([ -~]*[!-~])?`, Match: isAccountName}}
}

// userNameType is IAM's.
func userNameType() shape.String {
	return shape.String{Min: 1, Max: 64, Pattern: &shape.Pattern{Expr: `[\w+=,.@-]+`, Match: isUserName}}
}

func memberNameType() shape.String { return shape.String{Min: 1, Max: 63} }

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// isAccountName says whether a text has the form of account names of AWS
// Organizations, without blanks at its ends.
func isAccountName(s string) bool {
	return strings.Trim(s, " ") == s && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

func isUserName(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("_+=,.@-", c)
	}) < 0
}

// nothing is a request without members.
type nothing struct{}

func nothingShape() *shape.Struct[nothing] { return shape.Of[nothing]() }

// accountRequest names an account.
type accountRequest struct{ AccountID string }

func accountShape() *shape.Struct[accountRequest] {
	return shape.Of(shape.Text("accountId", accountIDType(), func(q *accountRequest) *string { return &q.AccountID }).Required())
}

// at is how answers write a time, nil where there is none.
func at(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}
