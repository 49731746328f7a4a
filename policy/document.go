package policy

// Kind is a kind of document: which elements it must and may have, and what it
// means.
type Kind uint8

// The kinds.
const (
	// KeyPolicy is the policy of a KMS key.
	KeyPolicy Kind = iota + 1
	// IdentityPolicy is attached to a user, group or role.
	IdentityPolicy
	// TrustPolicy says who may assume a role.
	TrustPolicy
	// SessionPolicy is passed when a session is made.
	SessionPolicy
	// Boundary is a permissions boundary.
	Boundary
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KeyPolicy:
		return "key policy"
	case IdentityPolicy:
		return "identity policy"
	case TrustPolicy:
		return "trust policy"
	case SessionPolicy:
		return "session policy"
	case Boundary:
		return "permissions boundary"
	}
	return "unknown kind of policy"
}

// source is what a document of the kind is in decisions.
func (k Kind) source() Source {
	switch k {
	case IdentityPolicy:
		return ByIdentity
	case SessionPolicy:
		return BySession
	case Boundary:
		return ByBoundary
	}
	return ByResource
}

// resourceBased says whether documents of the kind belong to a resource, and so
// name principals.
func (k Kind) resourceBased() bool { return k == KeyPolicy || k == TrustPolicy }

// Document is a policy document, compiled. It is immutable and safe for
// concurrent use. The zero value has no statements: it allows and denies nothing.
type Document struct {
	kind       Kind
	version    string // as written; "" where it has none
	id         *string
	single     bool // one statement, not in a list
	statements []statement
}

// The versions of the policy language.
const (
	version2008 = "2008-10-17" // also that of documents that have none
	version2012 = "2012-10-17" // the one with policy variables
)

// Kind is the kind that the document was parsed as.
func (d *Document) Kind() Kind { return d.kind }

// Version is the document's version of the language: "2008-10-17" where it names
// none.
func (d *Document) Version() string {
	if d.version == "" {
		return version2008
	}
	return d.version
}

// Statements is how many statements the document has.
func (d *Document) Statements() int { return len(d.statements) }

// statement is a statement. What it has in the negated form (NotAction …) is
// marked.
type statement struct {
	sid    string
	hasSid bool
	allow  bool

	principals   *principals // nil in kinds that name none
	notPrincipal bool

	actions   []action
	notAction bool

	resources   []resource // none in trust policies
	notResource bool

	conditions   []condition // in the order of the document
	hasCondition bool        // also an empty Condition element
}

// action is a pattern of actions.
type action struct {
	text string
	glob glob // of the text in lower case
}

// resource is a pattern of resources.
type resource struct {
	text string
	arn  arnTemplate
}

// finding is what a document says of a request.
type finding struct {
	document  *Document // nil where no statement applies
	statement int
	denies    bool
	reach     Reach // of an allowing statement in a resource's policy
}

// decision is the decision by the statement that was found.
func (f finding) decision(o Outcome) Decision {
	return Decision{Outcome: o, By: f.document.kind.source(), Document: f.document, Statement: f.statement}
}

// scan answers the first statement that denies, or else the first of those that
// allow the furthest. bounded says that the principal has a permissions boundary.
func (d *Document) scan(e *evaluation, bounded bool) (f finding) {
	furthest := ByName
	if !d.kind.resourceBased() {
		furthest = ByAccount
	}
	for i := range d.statements {
		s := &d.statements[i]
		if s.allow && f.reach == furthest {
			continue
		}
		reach := s.applies(e, bounded)
		switch {
		case e.meter.empty():
			return finding{}
		case reach == Unnamed:
		case !s.allow:
			return finding{document: d, statement: i, denies: true}
		case reach > f.reach:
			f = finding{document: d, statement: i, reach: reach}
		}
	}
	return f
}

// applies answers how the statement names the principal, Unnamed where it is not
// about the request. In documents that name no principals, it is ByAccount.
func (s *statement) applies(e *evaluation, bounded bool) Reach {
	if !e.meter.spend(1) || !s.matchesAction(e) || !s.matchesResource(e) {
		return Unnamed
	}
	reach := s.names(e, bounded)
	if reach == Unnamed {
		return Unnamed
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return Unnamed
		}
	}
	return reach
}

// names answers how the statement names the principal. With NotPrincipal, a
// principal that has a permissions boundary is always denied ("Permissions
// boundaries for IAM entities" in the IAM user guide, "Important").
func (s *statement) names(e *evaluation, bounded bool) Reach {
	switch {
	case s.principals == nil:
		return ByAccount
	case !s.notPrincipal:
		return s.principals.names(e)
	case !bounded && s.principals.spares(e):
		return Unnamed
	}
	return ByName
}

func (s *statement) matchesAction(e *evaluation) bool {
	for i := range s.actions {
		if s.actions[i].glob.match(&e.meter, e.action) {
			return !s.notAction
		}
	}
	return s.notAction
}

// matchesResource says whether the statement is about the resource. A NotResource
// of which a variable has no value excludes nobody knows what: such a statement
// does not allow.
func (s *statement) matchesResource(e *evaluation) bool {
	for i := range s.resources {
		r := &s.resources[i]
		if r.matches(e) {
			return !s.notResource
		}
		if s.notResource && s.allow && r.arn.unresolved(e) {
			return false
		}
	}
	return s.notResource || s.resources == nil
}

// matches compares the resource of the request. "*", for actions that have none,
// is matched by "*" alone ("Actions, resources, and condition keys" in the service
// authorization reference).
func (r *resource) matches(e *evaluation) bool {
	if e.request.Resource == "*" {
		return r.arn.all
	}
	return r.arn.match(e, e.request.Resource)
}
