package history

import (
	"slices"
	"strings"
)

// rightOps are the operations that give a user rights to a key of its own, take
// them or need them.
var rightOps = []string{
	"CreateGrant", "RevokeGrant", "RetireGrant", "ListGrants", "PutKeyPolicy", "PutUserPolicy", "DeleteUserPolicy",
	"AttachUserPolicy", "DetachUserPolicy", "Encrypt", "Decrypt",
}

func ofRight(op *Op) string {
	if slices.Contains(rightOps, op.Name) {
		return op.User
	}
	return ""
}

// What a user has, as the lines of a state begin; the effect of a policy or a
// grant's id and operations follow.
const (
	byKeyPolicy = "key policy: "
	byInline    = "inline policy: "
	byAttached  = "attached policy: "
	byGrant     = "grant "
)

// rights are the lines of a state, sorted.
type rights []string

func rightsOf(state string) rights {
	if state == "" {
		return nil
	}
	return strings.Split(state, "\n")
}

func (r rights) has(begin string) bool {
	return slices.ContainsFunc(r, func(line string) bool { return strings.HasPrefix(line, begin) })
}

// without is the state without the lines that begin so.
func (r rights) without(begin string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(r), func(line string) bool { return strings.HasPrefix(line, begin) }), "\n")
}

// with is the state with one such line, of a value; with none where that is "".
func (r rights) with(begin, value string) string {
	rest := rightsOf(r.without(begin))
	if value != "" {
		rest = append(rest, begin+value)
	}
	slices.Sort(rest)
	return strings.Join(rest, "\n")
}

// allow says whether the user may call an operation: somebody says so, and no
// policy denies it ("Policy evaluation logic" in the IAM user guide).
func (r rights) allow(operation string) bool {
	allowed := false
	for _, line := range r {
		switch {
		case strings.HasSuffix(line, "Deny"):
			return false
		case strings.HasSuffix(line, "Allow"), strings.HasPrefix(line, byGrant) && strings.Contains(line, operation):
			allowed = true
		}
	}
	return allowed
}

// grants are the ids of the grants.
func (r rights) grants() (ids []string) {
	for _, line := range r {
		if rest, ok := strings.CutPrefix(line, byGrant); ok {
			id, _, _ := strings.Cut(rest, " ")
			ids = append(ids, id)
		}
	}
	return ids
}

const accessDenied = "AccessDeniedException"

// stepRight: what is given to a user, or taken from it, decides at once. Value is
// the effect of a policy, "" where there is none for the user, or the operations
// of a grant.
func stepRight(state string, op *Op) (bool, string) {
	r, unknown, succeeded := rightsOf(state), op.Outcome != Answered, op.Code == ""
	grant := byGrant + op.Grant + " "
	switch op.Name {
	case "CreateGrant":
		if op.Grant == "" { // no record knows one: it was refused
			return unknown, state
		}
		return unknown || succeeded, r.with(grant, op.Value)
	case "RevokeGrant", "RetireGrant":
		return unknown || fitsPresence(op, r.has(grant), "NotFoundException"), r.without(grant)
	case "ListGrants":
		return unknown || succeeded && slices.Equal(op.Listed, r.grants()), state
	case "PutKeyPolicy":
		return unknown || succeeded, r.with(byKeyPolicy, op.Value)
	case "PutUserPolicy":
		return unknown || succeeded, r.with(byInline, op.Value)
	case "DeleteUserPolicy":
		return unknown || fitsPresence(op, r.has(byInline), "NoSuchEntity"), r.without(byInline)
	case "AttachUserPolicy":
		return unknown || succeeded, r.with(byAttached, "Allow")
	case "DetachUserPolicy":
		return unknown || fitsPresence(op, r.has(byAttached), "NoSuchEntity"), r.without(byAttached)
	}
	return unknown || fitsPresence(op, r.allow(op.Name), accessDenied), state
}

// fitsPresence: what is there succeeds, what is not is refused.
func fitsPresence(op *Op, there bool, refusal string) bool {
	if there {
		return op.Code == ""
	}
	return op.Code == refusal
}
