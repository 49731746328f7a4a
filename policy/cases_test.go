package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The principals of the cases.
func who(t *testing.T, name string) *Principal {
	t.Helper()
	const own, other = "111122223333", "444455556666"
	user := func(account, name, id string) *Principal {
		return &Principal{Account: account, ARN: "arn:aws:iam::" + account + ":user/" + name, ID: id}
	}
	session := func(account, role, path, id, session string) *Principal {
		return &Principal{
			Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session,
			Issuer: "arn:aws:iam::" + account + ":role" + path + role, IssuerID: id,
		}
	}
	switch name {
	case "alice":
		return user(own, name, "AIDAALICE0000001")
	case "alice2": // made again under the same name
		return user(own, "alice", "AIDAALICE0000002")
	case "bob":
		return user(own, name, "AIDABOB000000001")
	case "admin":
		return user(own, name, "AIDAADMIN0000001")
	case "ghost": // made after the key policy, which names one that was no more
		return user(own, name, "AIDAGHOST0000001")
	case "root":
		return &Principal{Account: own, ARN: "arn:aws:iam::" + own + ":root", Root: true}
	case "web":
		return session(own, "Web", "/app/", "AROAWEB000000001", "s1")
	case "web2":
		return session(own, "Web", "/app/", "AROAWEB000000001", "s2")
	case "newweb": // the role made again
		return session(own, "Web", "/app/", "AROAWEB000000002", "s3")
	case "carol":
		return user(other, name, "AIDACAROL0000001")
	case "carol2":
		return user(other, "carol", "AIDACAROL0000002")
	case "carolroot":
		return &Principal{Account: other, ARN: "arn:aws:iam::" + other + ":root", Root: true}
	case "ext":
		return session(other, "Ext", "/", "AROAEXT000000001", "s1")
	case "trail":
		return &Principal{Service: "cloudtrail.amazonaws.com"}
	case "events":
		return &Principal{Service: "events.amazonaws.com"}
	case "oidc":
		return &Principal{Federated: "arn:aws:iam::111122223333:oidc-provider/issuer.example.com"}
	}
	t.Fatalf("who is %s?", name)
	return nil
}

// known are the unique ids of those who are named in policies.
func known() map[string]string {
	return map[string]string{
		"arn:aws:iam::111122223333:user/alice":   "AIDAALICE0000001",
		"arn:aws:iam::111122223333:user/bob":     "AIDABOB000000001",
		"arn:aws:iam::111122223333:user/admin":   "AIDAADMIN0000001",
		"arn:aws:iam::111122223333:role/app/Web": "AROAWEB000000001",
		"arn:aws:iam::444455556666:user/carol":   "AIDACAROL0000001",
		"arn:aws:iam::444455556666:role/Ext":     "AROAEXT000000001",
	}
}

// words is a Context of words KEY=VALUE.
type words map[string][]string

func newWords(list []string) words {
	w := words{}
	for _, word := range list {
		key, value, _ := strings.Cut(word, "=")
		w[strings.ToLower(key)] = append(w[strings.ToLower(key)], value)
	}
	return w
}

func (w words) Get(key string) []string { return w[key] }

// describe adds what every request has.
func (w words) describe(p *Principal) words {
	set := func(key, value string) {
		if _, given := w[key]; !given && value != "" {
			w[key] = []string{value}
		}
	}
	set("aws:principalaccount", p.Account)
	_, name, _ := strings.Cut(p.ARN, ":user/")
	set("aws:username", name)
	set("aws:userid", p.ID)
	set("aws:principalarn", p.ARN)
	if p.session() {
		w["aws:principalarn"] = []string{p.Issuer}
		_, session, _ := strings.Cut(p.ARN, ":assumed-role/")
		w["aws:userid"] = []string{p.IssuerID + ":" + session[strings.Index(session, "/")+1:]}
	}
	return w
}

// suite is a file of cases.
type suite struct {
	documents map[string]*Document
	cases     []testCase
}

type testCase struct {
	line     string
	policies []string
	request  Request
	want     string
}

func kindOf(t *testing.T, name string) Kind {
	kinds := map[string]Kind{
		"key": KeyPolicy, "identity": IdentityPolicy, "trust": TrustPolicy, "session": SessionPolicy, "boundary": Boundary,
	}
	if kinds[name] == 0 {
		t.Fatalf("no kind %q", name)
	}
	return kinds[name]
}

func readSuite(t *testing.T, path string) *suite {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{documents: make(map[string]*Document)}
	var policies []string
	for _, block := range strings.Split(string(data), "\n\n") {
		lines := strings.Split(strings.Trim(block, "\n"), "\n")
		if fields := strings.Fields(lines[0]); len(fields) == 3 && fields[0] == "document" {
			d, err := Parse(kindOf(t, fields[2]), strings.Join(lines[1:], "\n"))
			if err != nil {
				t.Fatalf("%s: %s: %v", path, fields[1], err)
			}
			s.documents[fields[1]] = d.Bind(known())
			continue
		}
		for _, line := range lines {
			fields := strings.Fields(line)
			switch {
			case len(fields) == 0 || fields[0] == "#" || strings.HasPrefix(line, "#"):
			case fields[0] == "policies":
				policies = fields[1:]
			default:
				s.cases = append(s.cases, readCase(t, line, policies))
			}
		}
	}
	return s
}

func readCase(t *testing.T, line string, policies []string) testCase {
	t.Helper()
	left, want, ok := strings.Cut(line, " : ")
	fields := strings.Fields(left)
	if !ok || len(fields) < 2 {
		t.Fatalf("no case: %q", line)
	}
	c := testCase{line: strings.TrimSpace(line), policies: policies, want: strings.TrimSpace(want)}
	c.request = Request{
		Principal: who(t, fields[0]), Action: fields[1], Account: "111122223333",
		Resource: "arn:aws:kms:eu-west-1:111122223333:key/k1",
	}
	rest := fields[2:]
	if len(rest) > 0 && rest[0][0] == '@' {
		switch name := rest[0][1:]; {
		case name == "*":
			c.request.Resource, c.request.Account = "*", c.request.Principal.Account
		case name == "web":
			c.request.Resource = "arn:aws:iam::111122223333:role/app/Web"
		case strings.HasPrefix(name, "alias/"):
			c.request.Resource = "arn:aws:kms:eu-west-1:111122223333:" + name
		default:
			c.request.Resource = "arn:aws:kms:eu-west-1:111122223333:key/" + name
		}
		rest = rest[1:]
	}
	c.request.Context = newWords(rest).describe(c.request.Principal)
	return c
}

// assemble puts the named documents where they belong.
func (s *suite) assemble(t *testing.T, names []string) *Policies {
	t.Helper()
	p := &Policies{}
	for _, name := range names {
		switch name {
		case "grant:by-name":
			p.Grant = func() Reach { return ByName }
			continue
		case "grant:by-account":
			p.Grant = func() Reach { return ByAccount }
			continue
		case "grant:by-issuer":
			p.Grant = func() Reach { return ByIssuer }
			continue
		}
		d := s.documents[name]
		if d == nil {
			t.Fatalf("no document %q", name)
		}
		switch d.Kind() {
		case KeyPolicy, TrustPolicy:
			p.Resource = d
		case IdentityPolicy:
			p.Identity = append(p.Identity, d)
		case Boundary:
			p.Boundary = d
		case SessionPolicy:
			p.Session = append(p.Session, d)
		}
	}
	return p
}

// told is a decision in the words of the cases.
func told(d Decision) string {
	verb := map[Outcome]string{Allow: "allow", ExplicitDeny: "deny", ImplicitDeny: "no"}[d.Outcome]
	source := map[Source]string{
		ByResource: "key", ByIdentity: "identity", ByBoundary: "boundary", BySession: "session", ByGrant: "grant",
		ByRoot: "root", NoSource: "nothing",
	}[d.By]
	switch {
	case d.Exhausted:
		return "exhausted"
	case d.Foreign && d.Outcome == ImplicitDeny:
		return "foreign"
	case d.Foreign:
		source = "foreign"
	}
	return strings.TrimSpace(verb + " " + source + " " + d.Sid())
}

func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		s := readSuite(t, file)
		for _, c := range s.cases {
			p := s.assemble(t, c.policies)
			got := told(Evaluate(&c.request, p))
			if p.Resource != nil && p.Resource.Kind() == TrustPolicy {
				got = strings.Replace(got, " key", " trust", 1)
			}
			if got != c.want {
				t.Errorf("%s: policies %v\n  %s\n  got: %s", filepath.Base(file), c.policies, c.line, got)
			}
		}
	}
}

// TestConditions runs the cases of the operators.
func TestConditions(t *testing.T) {
	files, err := filepath.Glob("testdata/conditions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d *Document
		for _, line := range strings.Split(string(data), "\n") {
			fields := strings.Fields(line)
			switch {
			case len(fields) == 0 || fields[0] == "#":
			case fields[0] == "when":
				d = conditional(t, strings.TrimPrefix(line, "when "))
			default:
				checkCondition(t, d, line)
			}
		}
	}
}

// conditional answers a document that allows everything under a condition.
func conditional(t *testing.T, condition string) *Document {
	t.Helper()
	version := version2012
	if rest, ok := strings.CutPrefix(condition, version2008); ok {
		version, condition = version2008, rest
	}
	d, err := Parse(IdentityPolicy, `{"Version":"`+version+`","Statement":{"Effect":"Allow","Action":"*","Resource":"*",`+
		`"Condition":`+condition+`}}`)
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	return d
}

func checkCondition(t *testing.T, d *Document, line string) {
	t.Helper()
	fields := strings.Fields(line)
	context := fields[1:]
	if context[0] == "-" {
		context = nil
	}
	r := &Request{Principal: who(t, "alice"), Action: "kms:Encrypt", Resource: "*", Account: "111122223333", Context: newWords(context)}
	if got := Evaluate(r, &Policies{Identity: []*Document{d}}).Outcome == Allow; got != (fields[0] == "yes") {
		t.Errorf("%s\n  %s\n  got: %v", d, strings.TrimSpace(line), got)
	}
}
