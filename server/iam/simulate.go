package iam

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

func (s *Service) simulationOperations() []operation {
	return []operation{
		bind(s, "SimulateCustomPolicy", reads, simulateShape(false), s.simulate),
		bind(s, "SimulatePrincipalPolicy", reads, simulateShape(true), s.simulate),
		bind(s, "GetContextKeysForCustomPolicy", reads, contextKeysShape(false), s.contextKeys),
		bind(s, "GetContextKeysForPrincipalPolicy", reads, contextKeysShape(true), s.contextKeys),
	}
}

// simulateRequest asks what policies would decide: those that it brings, and those
// that an identity has.
type simulateRequest struct {
	SourceARN                string // of a user, group or role; "" in SimulateCustomPolicy
	Policies, Boundaries     []string
	Actions, Resources       []string
	ResourcePolicy           string
	ResourceOwner, CallerARN string
	Context                  []contextEntry
	ResourceHandling         string
	page
}

type contextEntry struct {
	Name   string
	Values []string
	Type   string
}

func contextEntryShape() *shape.Struct[contextEntry] {
	type e = contextEntry
	types := []string{"string", "stringList", "numeric", "numericList", "boolean", "booleanList", "ip", "ipList", "binary", "binaryList", "date", "dateList"}
	return shape.Of(
		shape.Text("ContextKeyName", shape.String{Min: 5, Max: 256}, func(c *e) *string { return &c.Name }),
		shape.Texts("ContextKeyValues", shape.List{}, shape.String{}, func(c *e) *[]string { return &c.Values }),
		shape.Text("ContextKeyType", shape.String{Enum: types}, func(c *e) *string { return &c.Type }),
	)
}

func simulateShape(principal bool) *shape.Struct[simulateRequest] {
	type r = simulateRequest
	resource := shape.String{Min: 1, Max: 2048}
	policies := shape.Texts("PolicyInputList", shape.List{}, policyDocumentType(), func(q *r) *[]string { return &q.Policies })
	members := []shape.Member[r]{
		shape.Texts("PermissionsBoundaryPolicyInputList", shape.List{}, policyDocumentType(), func(q *r) *[]string { return &q.Boundaries }),
		shape.Texts("ActionNames", shape.List{}, shape.String{Min: 3, Max: 128}, func(q *r) *[]string { return &q.Actions }).Required(),
		shape.Texts("ResourceArns", shape.List{}, resource, func(q *r) *[]string { return &q.Resources }),
		shape.Text("ResourcePolicy", policyDocumentType(), func(q *r) *string { return &q.ResourcePolicy }),
		shape.Text("ResourceOwner", resource, func(q *r) *string { return &q.ResourceOwner }),
		shape.Text("CallerArn", resource, func(q *r) *string { return &q.CallerARN }),
		shape.Structs("ContextEntries", shape.List{}, contextEntryShape(), func(q *r) *[]contextEntry { return &q.Context }),
		shape.Text("ResourceHandlingOption", shape.String{Min: 1, Max: 64}, func(q *r) *string { return &q.ResourceHandling }),
	}
	members = append(members, pageShape(func(q *r) *page { return &q.page })...)
	if principal {
		return shape.Of(append(members, policies, sourceMember(func(q *r) *string { return &q.SourceARN }))...)
	}
	return shape.Of(append(members, policies.Required())...)
}

func sourceMember[T any](field func(*T) *string) shape.Member[T] {
	return shape.Text("PolicySourceArn", arnType(), field).Required()
}

func (q *simulateRequest) recorded() *parameters {
	return &parameters{PolicySourceARN: q.SourceARN, ActionNames: q.Actions, ResourceARNs: q.Resources, Marker: q.Marker, MaxItems: q.MaxItems}
}

// invalidInput refuses what cannot be simulated.
func invalidInput(format string, args ...any) error {
	return failure(http.StatusBadRequest, "InvalidInput", format, args...)
}

// simulation is what a simulated request is held against.
type simulation struct {
	sources   []authz.Source
	policies  policy.Policies
	principal policy.Principal
	account   string // of the resource
	context   map[string][]string
}

type simulateResponse struct {
	EvaluationResults query.List[evaluationResult]
	truncation
}

type evaluationResult struct {
	EvalActionName       string
	EvalResourceName     string
	EvalDecision         string
	MatchedStatements    query.List[matchedStatement]
	MissingContextValues query.List[string]
	Boundary             *boundaryDetail `xml:"PermissionsBoundaryDecisionDetail"`
}

// matchedStatement is the statement that decided, by the policy that it is in.
type matchedStatement struct {
	SourcePolicyID   string `xml:"SourcePolicyId"`
	SourcePolicyType string `xml:",omitempty"`
}

type boundaryDetail struct {
	Allowed bool `xml:"AllowedByPermissionsBoundary"`
}

// simulate decides every action with every resource, as the call itself would be
// decided with the condition keys that the request brings, and no others.
func (s *Service) simulate(v *visit, q *simulateRequest) (any, error) {
	v.c.Record.Parameters = q.recorded()
	m, err := s.simulation(v, q)
	if err != nil {
		return nil, err
	}
	resources := q.Resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	first, err := q.position()
	if err != nil {
		return nil, err
	}
	out := &simulateResponse{}
	for at := first; at < len(q.Actions)*len(resources); at++ {
		if out.full(q.page, len(out.EvaluationResults), strconv.Itoa(at)) {
			break
		}
		out.EvaluationResults = append(out.EvaluationResults, m.decide(q.Actions[at/len(resources)], resources[at%len(resources)]))
	}
	return out, nil
}

// position is the number of the first result of the page.
func (p page) position() (int, error) {
	last, err := p.last()
	if err != nil || last == "" {
		return 0, err
	}
	n, err := strconv.Atoi(last)
	if err != nil || n < 0 {
		return 0, invalid("Invalid Marker.")
	}
	return n, nil
}

func (s *Service) simulation(v *visit, q *simulateRequest) (*simulation, error) {
	m := &simulation{account: v.account, context: map[string][]string{}, principal: policy.Principal{Account: v.account, ARN: q.CallerARN}}
	if err := s.sources(v, q.SourceARN, q.Policies, m); err != nil {
		return nil, err
	}
	for _, action := range q.Actions {
		if !strings.Contains(action, ":") || strings.ContainsAny(action, "*?") {
			return nil, invalidInput("Invalid Entity Action: %s", action)
		}
	}
	for _, entry := range q.Context {
		m.context[strings.ToLower(entry.Name)] = entry.Values
	}
	if q.SourceARN != "" && q.CallerARN == "" {
		m.principal.ARN = q.SourceARN
	}
	if err := m.bound(q.Boundaries); err != nil {
		return nil, err
	}
	return m, m.resource(q)
}

// sources adds the policies of an identity, where there is one, and those that the
// request brings.
func (s *Service) sources(v *visit, arn string, texts []string, m *simulation) error {
	about := arn
	if about == "" {
		about = "*"
	}
	if err := s.permit(v, about); err != nil {
		return err
	}
	if arn != "" {
		id, err := sourceID(v, arn)
		if err != nil || id == "" {
			return either(err, noSuchEntity("The entity with name %s cannot be found.", arn[strings.LastIndexByte(arn, '/')+1:]))
		}
		if m.sources, m.policies.Boundary, err = s.cfg.Access.Policies(v.tx.View(), v.account, id); err != nil {
			return err
		}
	}
	for i, text := range texts {
		d, err := policy.Parse(policy.IdentityPolicy, text)
		if err != nil {
			return invalidInput("PolicyInputList.%d: %v", i+1, unreadable(err))
		}
		m.sources = append(m.sources, authz.Source{Name: "PolicyInputList." + strconv.Itoa(i+1), Document: d})
	}
	for _, source := range m.sources {
		m.policies.Identity = append(m.policies.Identity, source.Document)
	}
	return nil
}

// sourceID is the unique id of the account's user, group or role that an ARN
// names, "" where it names none.
func sourceID(v *visit, arn string) (string, error) {
	resource, own := strings.CutPrefix(arn, "arn:aws:iam::"+v.account+":")
	if !own {
		return "", nil
	}
	if !strings.HasPrefix(resource, "group/") {
		return uniqueID(v, arn)
	}
	g, _, err := state.Groups.Peek(v.tx.View(), v.account, strings.ToLower(resource[strings.LastIndexByte(resource, '/')+1:]))
	if err != nil || g == nil || g.ARN() != arn {
		return "", err
	}
	return g.ID, nil
}

// bound puts a boundary in the place of the one that the identity has.
func (m *simulation) bound(texts []string) error {
	if len(texts) > 1 {
		return invalidInput("Only one permissions boundary policy can be simulated.")
	}
	for _, text := range texts {
		d, err := policy.Parse(policy.Boundary, text)
		if err != nil {
			return invalidInput("PermissionsBoundaryPolicyInputList.1: %v", unreadable(err))
		}
		m.policies.Boundary = d
	}
	return nil
}

// resource adds the resource's policy, which needs to know who calls and whose
// the resource is.
func (m *simulation) resource(q *simulateRequest) error {
	if q.ResourcePolicy == "" {
		return nil
	}
	if m.principal.ARN == "" {
		return invalidInput("CallerArn is required with a ResourcePolicy.")
	}
	d, err := policy.Parse(policy.KeyPolicy, q.ResourcePolicy)
	if err != nil {
		return invalidInput("ResourcePolicy: %v", unreadable(err))
	}
	m.policies.Resource = d
	for arn, into := range map[string]*string{q.ResourceOwner: &m.account, m.principal.ARN: &m.principal.Account} {
		if part := strings.SplitN(arn, ":", 6); len(part) == 6 && part[4] != "" {
			*into = part[4]
		} else if arn != "" {
			return invalidInput("Invalid ARN: %s", arn)
		}
	}
	return nil
}

// given is the context of a simulated request, and what was missing in it.
type given struct {
	values  map[string][]string
	missing map[string]bool
}

// Get implements policy.Context.
func (g *given) Get(key string) []string {
	values, ok := g.values[key]
	if !ok {
		g.missing[key] = true
	}
	return values
}

func (m *simulation) decide(action, resource string) evaluationResult {
	context := &given{values: m.context, missing: map[string]bool{}}
	r := &policy.Request{Principal: &m.principal, Action: action, Resource: resource, Account: m.account, Context: context}
	decision := policy.Evaluate(r, &m.policies)
	result := evaluationResult{EvalActionName: action, EvalResourceName: resource, EvalDecision: outcome(decision.Outcome)}
	if decision.Document != nil {
		result.MatchedStatements = append(result.MatchedStatements, m.matched(decision.Document))
	}
	for _, d := range m.documents() {
		for _, key := range d.ContextKeys() {
			if name := strings.ToLower(key); context.missing[name] {
				result.MissingContextValues = append(result.MissingContextValues, key)
				delete(context.missing, name)
			}
		}
	}
	if bound := m.policies.Boundary; bound != nil {
		alone := policy.Evaluate(r, &policy.Policies{Identity: []*policy.Document{bound}})
		result.Boundary = &boundaryDetail{alone.Outcome == policy.Allow}
	}
	return result
}

// documents are all that have a say.
func (m *simulation) documents() []*policy.Document {
	list := m.policies.Identity[:len(m.policies.Identity):len(m.policies.Identity)]
	for _, d := range []*policy.Document{m.policies.Boundary, m.policies.Resource} {
		if d != nil {
			list = append(list, d)
		}
	}
	return list
}

// matched names the policy of a statement.
func (m *simulation) matched(d *policy.Document) matchedStatement {
	for _, source := range m.sources {
		if source.Document != d {
			continue
		}
		switch {
		case strings.HasPrefix(source.Name, "arn:aws:iam::aws:"):
			return matchedStatement{source.Name, "aws-managed"}
		case strings.HasPrefix(source.Name, "arn:"):
			return matchedStatement{source.Name, "user-managed"}
		}
		return matchedStatement{SourcePolicyID: source.Name}
	}
	if d == m.policies.Resource {
		return matchedStatement{"ResourcePolicy", "resource"}
	}
	return matchedStatement{SourcePolicyID: "PermissionsBoundary"}
}

func outcome(o policy.Outcome) string {
	switch o {
	case policy.Allow:
		return "allowed"
	case policy.ExplicitDeny:
		return "explicitDeny"
	}
	return "implicitDeny"
}

type contextKeysRequest struct {
	SourceARN string
	Policies  []string
}

func contextKeysShape(principal bool) *shape.Struct[contextKeysRequest] {
	type r = contextKeysRequest
	policies := shape.Texts("PolicyInputList", shape.List{}, policyDocumentType(), func(q *r) *[]string { return &q.Policies })
	if principal {
		return shape.Of(policies, sourceMember(func(q *r) *string { return &q.SourceARN }))
	}
	return shape.Of(policies.Required())
}

type contextKeysResponse struct{ ContextKeyNames query.List[string] }

// contextKeys answers the condition keys that policies ask for: what a simulation
// of them has to be given.
func (s *Service) contextKeys(v *visit, q *contextKeysRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicySourceARN: q.SourceARN}
	m := &simulation{}
	if err := s.sources(v, q.SourceARN, q.Policies, m); err != nil {
		return nil, err
	}
	out, seen := &contextKeysResponse{}, map[string]bool{}
	for _, d := range m.policies.Identity {
		for _, key := range d.ContextKeys() {
			if !seen[strings.ToLower(key)] {
				seen[strings.ToLower(key)] = true
				out.ContextKeyNames = append(out.ContextKeyNames, key)
			}
		}
	}
	return out, nil
}
