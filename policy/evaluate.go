package policy

// Policies are all documents that have a say in a request.
type Policies struct {
	// Resource is the policy of the resource: a key policy or a trust policy; nil
	// where the resource can have none.
	Resource *Document
	// Identity are the principal's own policies and those of its groups, or of a
	// session's role.
	Identity []*Document
	// Boundary is the permissions boundary of the principal or of a session's role;
	// nil where there is none.
	Boundary *Document
	// Session are the policies that were passed when the session was made; none
	// where none were. What one of them allows is allowed by them.
	Session []*Document
	// Grant answers how a grant names the principal for this request. It is asked at
	// most once, and only where no document denies and none allows; nil means that
	// there are no grants.
	Grant func() Reach
}

// evaluation is one run of Evaluate.
type evaluation struct {
	request *Request
	action  string // in lower case
	meter   meter
}

// get answers the values of a condition key.
func (e *evaluation) get(key string) []string {
	if e.request.Context == nil || !e.meter.spend(1) {
		return nil
	}
	return e.request.Context.Get(key)
}

// Evaluate decides a request ("Policy evaluation logic" in the IAM user guide;
// "Key policies in AWS KMS" and "Grants in AWS KMS" in the KMS developer guide):
//
//   - A statement that denies decides, whatever document it is in.
//   - The resource's policy alone allows principals of the account that it names
//     themselves. It allows sessions of a role that it names as far as boundary and
//     session policies go. Where it names the account, the account's own policies
//     decide. The same holds for grants.
//   - Where it names nobody, nobody is allowed: unlike other resources, a key
//     gives its account nothing by itself.
//   - Principals of other accounts need their own account's policies besides, except
//     where a grant names them and not their account.
//   - Without a policy of the resource, the principal's own policies decide.
//
// It is safe for concurrent use.
func Evaluate(r *Request, p *Policies) Decision {
	d, _ := evaluate(r, p)
	return d
}

func evaluate(r *Request, p *Policies) (d Decision, steps int) {
	e := &evaluation{request: r, action: lower(r.Action), meter: meter{left: MaxSteps}}
	s := survey{}
	if denied := s.visit(e, p); denied.document != nil {
		d = denied.decision(ExplicitDeny)
		d.Foreign = d.By == ByResource && r.Principal.Account != r.Account
		return d, MaxSteps - e.meter.left
	}
	d = s.decide(r, p)
	if e.meter.empty() {
		d = Decision{Outcome: ImplicitDeny, By: ByResource, Exhausted: true}
	}
	return d, MaxSteps - e.meter.left
}

// survey is what the documents say, when none denies.
type survey struct {
	resource, identity, boundary, session finding
}

// visit reads all documents. It answers the statement that denies, if one does.
func (s *survey) visit(e *evaluation, p *Policies) (denied finding) {
	if p.Resource != nil {
		if s.resource = p.Resource.scan(e, p.Boundary != nil); s.resource.denies {
			return s.resource
		}
	}
	if s.identity = scanAll(e, p.Identity); s.identity.denies {
		return s.identity
	}
	if p.Boundary != nil {
		if s.boundary = p.Boundary.scan(e, false); s.boundary.denies {
			return s.boundary
		}
	}
	if s.session = scanAll(e, p.Session); s.session.denies {
		return s.session
	}
	return finding{}
}

// scanAll answers what denies in a list of documents, or else what allows.
func scanAll(e *evaluation, list []*Document) (f finding) {
	for _, d := range list {
		switch one := d.scan(e, false); {
		case one.denies:
			return one
		case f.document == nil:
			f = one
		}
	}
	return f
}

// decide decides where no statement denies.
func (s *survey) decide(r *Request, p *Policies) Decision {
	own := r.Principal.Account == r.Account
	if p.Resource == nil {
		if !own {
			return Decision{By: ByResource, Foreign: true}
		}
		return s.own(r, p)
	}
	reach := s.resource.reach
	limit := s.limit(p)
	switch {
	case reach == ByName && (own || r.Principal.Account == ""), reach == ByIssuer && own && limit == NoSource:
		return s.resource.decision(Allow)
	}
	// What the resource's policy leaves to the principal's own policies.
	if reach == ByAccount && own || reach != Unnamed && !own {
		if d := s.own(r, p); d.Outcome == Allow || p.Grant == nil {
			return d
		}
	}
	return s.granted(r, p, limit, reach)
}

// own decides by the principal's own policies.
func (s *survey) own(r *Request, p *Policies) Decision {
	switch limit := s.limit(p); {
	case !r.Principal.Root && s.identity.document == nil:
		return Decision{By: ByIdentity}
	case limit != NoSource:
		return Decision{By: limit}
	case r.Principal.Root:
		return Decision{Outcome: Allow, By: ByRoot}
	}
	return s.identity.decision(Allow)
}

// limit answers which of boundary and session policies does not allow the
// request, NoSource where both do.
func (s *survey) limit(p *Policies) Source {
	switch {
	case p.Boundary != nil && s.boundary.document == nil:
		return ByBoundary
	case len(p.Session) > 0 && s.session.document == nil:
		return BySession
	}
	return NoSource
}

// granted decides by grants, after policies have allowed nothing.
func (s *survey) granted(r *Request, p *Policies, limit Source, reach Reach) Decision {
	grant := Unnamed
	if p.Grant != nil {
		grant = p.Grant()
	}
	if grant == ByAccount && r.Principal.Account != "" {
		reach = max(reach, ByAccount)
	}
	own := r.Principal.Account == r.Account
	switch {
	case grant == ByName, grant == ByIssuer && limit == NoSource:
		return Decision{Outcome: Allow, By: ByGrant}
	case grant == ByIssuer, own && reach == ByIssuer:
		return Decision{By: limit}
	case reach == Unnamed:
		return Decision{By: ByResource, Foreign: !own}
	}
	return s.own(r, p)
}
