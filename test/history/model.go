package history

import (
	"fmt"
	"slices"
	"strings"
)

// Model is what one kind of object promises, as a machine with a state that is a
// string. A new workload adds a row to Models.
type Model struct {
	Name string
	// Of answers the object that an operation is about, "" where it is about none
	// of this kind.
	Of func(op *Op) string
	// Initial is the state of an object that nobody has touched.
	Initial string
	// Step says whether an operation, with the answer that it got, fits a state,
	// and which state it leaves. For an unknown answer it fits always.
	Step func(state string, op *Op) (fits bool, next string)
}

// Models are the objects that histories are checked for.
var Models = []Model{
	{Name: "key", Of: ofKey, Initial: enabled, Step: stepKey},
	{Name: "material", Of: ofMaterial, Initial: "", Step: stepMaterial},
	{Name: "alias", Of: ofAlias, Initial: "", Step: stepAlias},
	{Name: "right", Of: ofRight, Initial: "", Step: stepRight},
	{Name: "credential", Of: ofCredential, Initial: active, Step: stepCredential},
	{Name: "import", Of: ofImport, Initial: pendingImport, Step: stepImport},
	{Name: "regions", Of: ofRegions, Initial: firstRegion, Step: stepRegions},
	{Name: "user", Of: ofUser, Initial: "", Step: stepUser},
}

// AWS's names of key states.
const (
	enabled  = "Enabled"
	disabled = "Disabled"
)

var keyOps = []string{"EnableKey", "DisableKey", "DescribeKey", "Encrypt", "Decrypt", "GenerateDataKeyWithoutPlaintext", "RotateKeyOnDemand"}

// ofKey: keys of users, imported and multi-Region keys are other kinds of objects.
func ofKey(op *Op) string {
	if slices.Contains(keyOps, op.Name) && op.User == "" && op.Origin == "" && op.Region == "" {
		return op.Key
	}
	return ""
}

// stepKey: a key is on or off, and only a key that is on does cryptography.
func stepKey(state string, op *Op) (bool, string) {
	unknown := op.Outcome != Answered
	switch op.Name {
	case "EnableKey":
		return unknown || op.Code == "", enabled
	case "DisableKey":
		return unknown || op.Code == "", disabled
	case "DescribeKey":
		return unknown || op.Code == "" && op.State == state, state
	}
	switch {
	case unknown:
		return true, state
	case op.Code == "":
		return state == enabled, state
	}
	tooOften := op.Name == "RotateKeyOnDemand" && op.Code == "LimitExceededException"
	return op.Code == "DisabledException" && state == disabled || tooOften && state == enabled, state
}

func ofMaterial(op *Op) string {
	if op.Name == "RotateKeyOnDemand" || op.Name == "DescribeKey" {
		return op.Key
	}
	return ""
}

// other begins the state of a key whose material is any but the one that follows.
const other = "not "

// stepMaterial: a key has one material until it is rotated, then one that it did
// not have. The state is "" where nothing is known of it.
func stepMaterial(state string, op *Op) (bool, string) {
	before, rotated := strings.CutPrefix(state, other)
	switch {
	case op.Name == "RotateKeyOnDemand" && op.Outcome != Answered:
		return true, "" // it may have been refused
	case op.Name == "RotateKeyOnDemand" && op.Code == "" && state != "":
		return true, other + before
	case op.Name == "DescribeKey" && op.Outcome == Answered && op.Code == "":
		return state == "" || (op.Material == before) != rotated, op.Material
	}
	return true, state
}

func ofAlias(op *Op) string { return op.Alias }

// stepAlias: an alias is created where there is none, and changed or removed
// where there is one; a look-up finds what it points to.
func stepAlias(state string, op *Op) (bool, string) {
	unknown, there, next := op.Outcome != Answered, state != "", state
	refusal := "NotFoundException"
	allowed := there
	switch op.Name {
	case "CreateAlias":
		next, allowed, refusal = op.Target, !there, "AlreadyExistsException"
	case "UpdateAlias":
		next = op.Target
	case "DeleteAlias":
		next = ""
	default:
		if !unknown && op.Code == "" && op.Resolved != state {
			return false, state
		}
	}
	if !allowed {
		return unknown || op.Code == refusal, state
	}
	return unknown || op.Code == "", next
}

// Problem is a promise that was not kept.
type Problem struct {
	Check string // which check found it
	Text  string
}

func (p Problem) String() string { return p.Check + ": " + p.Text }

func problem(check, format string, args ...any) Problem {
	return Problem{Check: check, Text: fmt.Sprintf(format, args...)}
}
