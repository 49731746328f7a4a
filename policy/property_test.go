package policy

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// The generator draws from few words, so that documents and requests meet. It is
// seeded: a run of the tests tries the same scenarios each time.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

// some answers one to three of the words.
func (g generator) some(list ...string) []string {
	words := []string{pick(g, list...)}
	for len(words) < 3 && g.IntN(3) == 0 {
		words = append(words, pick(g, list...))
	}
	return words
}

// scenario is a request with the documents that have a say, as text.
type scenario struct {
	Resource  *genDocument
	Identity  []*genDocument
	Boundary  *genDocument
	Session   []*genDocument
	Grant     Reach
	Who       string
	Action    string
	Target    string
	Context   words
	principal *Principal
}

type genDocument struct {
	Version   string         `json:",omitempty"`
	Statement []genStatement `json:"Statement"`
}

type genStatement struct {
	Effect       string
	Principal    map[string][]string            `json:",omitempty"`
	NotPrincipal map[string][]string            `json:",omitempty"`
	Action       []string                       `json:",omitempty"`
	NotAction    []string                       `json:",omitempty"`
	Resource     []string                       `json:",omitempty"`
	NotResource  []string                       `json:",omitempty"`
	Condition    map[string]map[string][]string `json:",omitempty"`
}

func (d *genDocument) text() string {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (g generator) scenario(t *testing.T) *scenario {
	s := &scenario{
		Who: pick(g, "alice", "alice2", "bob", "ghost", "root", "web", "web2", "newweb", "carol", "carol2", "carolroot", "ext",
			"trail", "events"),
		Action:  pick(g, "kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "KMS:encrypt"),
		Target:  pick(g, "arn:aws:kms:eu-west-1:111122223333:key/k1", "arn:aws:kms:eu-west-1:111122223333:key/k2", "*"),
		Context: g.context(),
	}
	s.principal = who(t, s.Who)
	s.Context.describe(s.principal)
	if g.IntN(8) != 0 {
		s.Resource = g.document(true)
	}
	for range g.IntN(3) {
		s.Identity = append(s.Identity, g.document(false))
	}
	if g.IntN(4) == 0 {
		s.Boundary = g.document(false)
	}
	for g.IntN(4) == 0 {
		s.Session = append(s.Session, g.document(false))
	}
	if g.IntN(6) == 0 {
		s.Grant = pick(g, ByName, ByIssuer, ByAccount)
	}
	return s
}

func (g generator) context() words {
	w := words{}
	for _, key := range []string{"x:s", "x:n", "x:b", "x:d", "x:ip", "x:arn", "x:m", "kms:encryptioncontext:app"} {
		switch n := g.IntN(8); {
		case n < 3:
		case n < 7:
			w[key] = []string{g.contextValue(key)}
		default:
			w[key] = []string{g.contextValue(key), g.contextValue(key)}
		}
	}
	return w
}

func (g generator) contextValue(key string) string {
	switch key {
	case "x:n":
		return pick(g, "1", "2", "2.0", "3", "many")
	case "x:b":
		return pick(g, "true", "false", "True")
	case "x:d":
		return pick(g, "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-06-01T02:00:00+02:00", "never")
	case "x:ip":
		return pick(g, "203.0.113.1", "203.0.113.200", "2001:db8::1", "nowhere")
	case "x:arn":
		return pick(g, "arn:aws:s3:::a", "arn:aws:s3:::ab", "arn:aws:s3:eu-west-1:1:b:c", "arn:x", "a")
	}
	return pick(g, "a", "b", "ab", "A", "aba", "*", "k1")
}

func (g generator) document(resource bool) *genDocument {
	d := &genDocument{Version: pick(g, version2012, version2012, version2012, version2008, "")}
	for range 1 + g.IntN(3) {
		d.Statement = append(d.Statement, g.statement(resource))
	}
	return d
}

func (g generator) statement(resource bool) genStatement {
	s := genStatement{Effect: pick(g, "Allow", "Allow", "Deny")}
	if resource {
		list := map[string][]string{"AWS": g.some("*", "111122223333", "arn:aws:iam::111122223333:root",
			"arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/ghost",
			"arn:aws:iam::111122223333:role/app/Web", "arn:aws:sts::111122223333:assumed-role/Web/s1",
			"444455556666", "arn:aws:iam::444455556666:user/carol", "arn:aws:iam::444455556666:role/Ext")}
		if g.IntN(5) == 0 {
			list["Service"] = g.some("cloudtrail.amazonaws.com", "events.amazonaws.com")
		}
		if s.Effect == "Deny" && g.IntN(2) == 0 {
			s.NotPrincipal = list
		} else {
			s.Principal = list
		}
	}
	actions := g.some("*", "kms:*", "kms:Encrypt", "kms:encrypt", "kms:De*", "kms:?ecrypt", "s3:*", "kms:*crypt")
	if g.IntN(5) == 0 {
		s.NotAction = actions
	} else {
		s.Action = actions
	}
	resources := g.some("*", "*", "arn:aws:kms:eu-west-1:111122223333:key/k1", "arn:aws:kms:*:*:key/*", "arn:*:*:*:*:*2",
		"arn:aws:kms:eu-west-1:111122223333:key/${x:s}", "arn:aws:kms:eu-west-1:${aws:PrincipalAccount}:key/k?",
		"arn:aws:kms:eu-west-1:111122223333:key/${x:s, 'k1'}", "arn:aws:kms:*:1*3:*k*")
	if g.IntN(6) == 0 {
		s.NotResource = resources
	} else {
		s.Resource = resources
	}
	for g.IntN(3) == 0 {
		if s.Condition == nil {
			s.Condition = map[string]map[string][]string{}
		}
		operator, key, values := g.condition()
		s.Condition[operator] = map[string][]string{key: values}
	}
	return s
}

func (g generator) condition() (operator, key string, values []string) {
	switch g.IntN(7) {
	case 0:
		return pick(g, "Null"), pick(g, "x:s", "x:m", "X:S"), g.some("true", "false")
	case 1:
		operator = pick(g, "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
			"NumericGreaterThanEquals")
		key, values = "x:n", g.some("1", "2", "3")
	case 2:
		operator = pick(g, "DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThanEquals", "DateLessThanEquals", "DateGreaterThan")
		key, values = "x:d", g.some("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z")
	case 3:
		operator, key, values = "Bool", "x:b", g.some("true", "false")
	case 4:
		operator = pick(g, "IpAddress", "NotIpAddress")
		key, values = "x:ip", g.some("203.0.113.0/25", "203.0.113.1/32", "2001:db8::/32")
	case 5:
		operator = pick(g, "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")
		key, values = "x:arn", g.some("arn:aws:s3:::a", "arn:aws:s3:::a*", "arn:*:s3:*:?:*c", "*", "arn:aws:s3:::${x:s}")
	default:
		operator = pick(g, "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
			"StringNotEqualsIgnoreCase")
		key = pick(g, "x:s", "x:m", "X:S", "aws:username", "kms:EncryptionContext:App")
		values = g.some("a", "A", "a*", "?", "*b*", "alice", "${x:m}", "${x:m, 'b'}*", "${*}", "*a*a*")
	}
	if key != "kms:EncryptionContext:App" {
		operator = pick(g, "", "", "ForAllValues:", "ForAnyValue:") + operator
	}
	return operator + pick(g, "", "", "IfExists"), key, values
}

// compile answers the scenario as Evaluate wants it.
func (s *scenario) compile(t *testing.T) (*Request, *Policies) {
	parse := func(kind Kind, d *genDocument) *Document {
		if d == nil {
			return nil
		}
		compiled, err := Parse(kind, d.text())
		if err != nil {
			t.Fatalf("%s: %v", d.text(), err)
		}
		return compiled.Bind(known())
	}
	p := &Policies{Resource: parse(KeyPolicy, s.Resource), Boundary: parse(Boundary, s.Boundary)}
	for _, d := range s.Identity {
		p.Identity = append(p.Identity, parse(IdentityPolicy, d))
	}
	for _, d := range s.Session {
		p.Session = append(p.Session, parse(SessionPolicy, d))
	}
	if s.Grant != Unnamed {
		p.Grant = func() Reach { return s.Grant }
	}
	return &Request{Principal: s.principal, Action: s.Action, Resource: s.Target, Account: "111122223333", Context: s.Context}, p
}

func (s *scenario) oracle(r *Request) *oracle {
	o := &oracle{grant: s.Grant, request: r, context: s.Context}
	convert := func(d *genDocument) *oracleDocument {
		if d == nil {
			return nil
		}
		return newOracleDocument(d.text(), known())
	}
	o.resource, o.boundary = convert(s.Resource), convert(s.Boundary)
	for _, d := range s.Identity {
		o.identity = append(o.identity, convert(d))
	}
	for _, d := range s.Session {
		o.session = append(o.session, convert(d))
	}
	return o
}

func (s *scenario) String() string {
	b, _ := json.MarshalIndent(s, "", " ")
	return string(b)
}

const scenarios = 2000

// TestLikeThePublishedLogic compares with the oracle.
func TestLikeThePublishedLogic(t *testing.T) {
	outcomes := map[Outcome]int{}
	for seed := range uint64(scenarios) {
		s := newGenerator(seed).scenario(t)
		r, p := s.compile(t)
		got := Evaluate(r, p)
		outcome, source := s.oracle(r).decide()
		outcomes[outcome]++
		if got.Outcome != outcome || outcome != Allow && got.By != source {
			t.Fatalf("seed %d: %s\n  got:  %v by %v\n  want: %v by %v", seed, s, got.Outcome, got.By, outcome, source)
		}
	}
	for _, o := range []Outcome{Allow, ExplicitDeny, ImplicitDeny} {
		if outcomes[o] < scenarios/20 {
			t.Errorf("of %d scenarios only %d end with %v: %v", scenarios, outcomes[o], o, outcomes)
		}
	}
}

// TestDenyOnlyTakesAway: a further Deny statement in any document never allows
// what was not allowed.
func TestDenyOnlyTakesAway(t *testing.T) {
	never(t, func(g generator, d *genDocument, resource bool) {
		more := g.statement(resource)
		for more.Effect != "Deny" {
			more = g.statement(resource)
		}
		at := g.IntN(len(d.Statement) + 1)
		d.Statement = append(d.Statement[:at:at], append([]genStatement{more}, d.Statement[at:]...)...)
	})
}

// TestAllowOnlyGives: without one of its Allow statements, a document never
// allows what was not allowed.
func TestAllowOnlyGives(t *testing.T) {
	never(t, func(g generator, d *genDocument, _ bool) {
		at := g.IntN(len(d.Statement))
		if d.Statement[at].Effect == "Allow" {
			d.Statement[at].Action, d.Statement[at].NotAction = []string{"none:Such"}, nil
		}
	})
}

// never changes one document of each scenario, and checks that nothing is allowed
// that was not.
func never(t *testing.T, change func(g generator, d *genDocument, resource bool)) {
	allowed, lost := 0, 0
	for seed := range uint64(scenarios) {
		g := newGenerator(seed)
		s := g.scenario(t)
		r, p := s.compile(t)
		before := Evaluate(r, p)
		var all []*genDocument
		for _, d := range append(append([]*genDocument{s.Resource, s.Boundary}, s.Identity...), s.Session...) {
			if d != nil {
				all = append(all, d)
			}
		}
		if len(all) == 0 {
			continue
		}
		d := pick(g, all...)
		change(g, d, d == s.Resource)
		r, p = s.compile(t)
		after := Evaluate(r, p)
		if after.Outcome == Allow && before.Outcome != Allow {
			t.Fatalf("seed %d: %s\n  before: %v, after: %v", seed, s, before.Outcome, after.Outcome)
		}
		if before.Outcome == Allow {
			allowed++
			if after.Outcome != Allow {
				lost++
			}
		}
	}
	if allowed == 0 || lost == 0 {
		t.Errorf("the changes meant nothing: %d of %d lost", lost, allowed)
	}
}
