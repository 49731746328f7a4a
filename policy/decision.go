package policy

// Outcome is what was decided.
type Outcome uint8

// The outcomes.
const (
	// ImplicitDeny: nothing allows the request. It is the zero value.
	ImplicitDeny Outcome = iota
	// ExplicitDeny: a statement denies it.
	ExplicitDeny
	// Allow: a statement or a grant allows it, and nothing denies it.
	Allow
)

// String is the outcome's name.
func (o Outcome) String() string {
	return [...]string{ImplicitDeny: "ImplicitDeny", ExplicitDeny: "ExplicitDeny", Allow: "Allow"}[o]
}

// Source is a kind of thing that allows or denies.
type Source uint8

// The sources.
const (
	// NoSource is the zero value; no decision has it.
	NoSource Source = iota
	// ByResource: the policy of the key, or the trust policy.
	ByResource
	// ByIdentity: a policy of the principal.
	ByIdentity
	// ByBoundary: the permissions boundary.
	ByBoundary
	// BySession: a session policy.
	BySession
	// ByGrant: a grant.
	ByGrant
	// ByRoot: the principal is the account's root user.
	ByRoot
)

// String is what AWS calls the source in messages.
func (s Source) String() string {
	return [...]string{
		NoSource: "none", ByResource: "resource-based policy", ByIdentity: "identity-based policy",
		ByBoundary: "permissions boundary", BySession: "session policy", ByGrant: "grant", ByRoot: "root user",
	}[s]
}

// Decision says what was decided, and by what. The zero value is a denial.
type Decision struct {
	Outcome Outcome
	// By is the source that allowed or denied; for an ImplicitDeny, the one whose
	// permission was missing.
	By Source
	// Document and Statement (an index into it) are what decided; nil for an
	// ImplicitDeny, for grants and for the root user.
	Document  *Document
	Statement int
	// Foreign: the resource's policy denies or does not allow what a principal of
	// another account wants. AWS tells such a one no more than that.
	Foreign bool
	// Exhausted: the documents took more than MaxSteps, and so allow nothing.
	Exhausted bool
}

// Sid is the id of the statement that decided, "" where it has none.
func (d Decision) Sid() string {
	if d.Document == nil {
		return ""
	}
	return d.Document.statements[d.Statement].sid
}

// Message is AWS's message of a denied request ("Troubleshoot access denied error
// messages" in the IAM user guide). A principal of another account is not told
// whether the resource exists.
func (d Decision) Message(r *Request) string {
	who := "User: " + r.Principal.ARN + " is not authorized to perform: " + r.Action
	if d.Foreign {
		return who + " on this resource because the resource does not exist in this Region, no resource-based " +
			"policies allow access, or a resource-based policy explicitly denies access"
	}
	who += " on resource: " + r.Resource
	if d.Outcome == ExplicitDeny {
		article := " a "
		if d.By == ByIdentity {
			article = " an "
		}
		return who + " with an explicit deny in" + article + d.By.String()
	}
	return who + " because no " + d.By.String() + " allows the " + r.Action + " action"
}
