package policy

import (
	"fmt"
	"strings"
)

// Parse compiles a document of a kind, in the grammar of the IAM user guide
// ("Grammar of the IAM JSON policy language"). The length is not looked at; AWS
// has a quota for each kind. Its error is a [*SyntaxError].
func Parse(kind Kind, document string) (*Document, error) {
	v, err := parseJSON(document)
	if err != nil {
		return nil, malformed(wrongSyntax, "%v", err)
	}
	if v.kind != object {
		return nil, malformed(wrongSyntax, "the document is no JSON object")
	}
	p := &parser{document: Document{kind: kind}, sids: make(map[string]bool)}
	if err := p.parse(&v); err != nil {
		return nil, err
	}
	return &p.document, nil
}

// parser fills in a document.
type parser struct {
	document Document
	sids     map[string]bool
	where    string // in the document, for the details of errors
}

func (p *parser) parse(v *value) error {
	list, err := p.top(v)
	if err != nil {
		return err
	}
	statements := []value{*list}
	if p.document.single = list.kind == object; !p.document.single {
		statements = list.items
	}
	if list.kind != object && list.kind != array || len(statements) == 0 {
		return malformed(wrongSyntax, "Statement is neither a statement nor a list of them")
	}
	for i := range statements {
		p.where = fmt.Sprintf("statement %d", i+1)
		if err := p.statement(&statements[i]); err != nil {
			return err
		}
	}
	return nil
}

// top reads the members of the document, and answers its Statement.
func (p *parser) top(v *value) (list *value, err error) {
	list = &value{}
	for i := range v.members {
		m := &v.members[i]
		switch {
		case m.name == "Version" && (m.value.text == version2008 || m.value.text == version2012):
			p.document.version = m.value.text
		case m.name == "Id" && m.value.kind == text:
			p.document.id = &m.value.text
		case m.name == "Statement":
			list = &m.value
		default:
			return nil, malformed(wrongSyntax, "%q is no member of a policy, or has no such value", m.name)
		}
	}
	return list, nil
}

// variables says whether policy variables mean anything in the document.
func (p *parser) variables() bool { return p.document.version == version2012 }

func (p *parser) statement(v *value) error {
	if v.kind != object {
		return malformed(wrongSyntax, "%s is no JSON object", p.where)
	}
	s := statement{}
	seen := make(map[string]bool)
	for i := range v.members {
		m := &v.members[i]
		element := strings.TrimPrefix(m.name, "Not")
		if seen[element] {
			return malformed(wrongSyntax, "%s has both %s and Not%s", p.where, element, element)
		}
		seen[element] = true
		if err := p.element(&s, m.name, &m.value); err != nil {
			return err
		}
	}
	if err := p.complete(&s, seen); err != nil {
		return err
	}
	p.document.statements = append(p.document.statements, s)
	return nil
}

// element reads one element of a statement.
func (p *parser) element(s *statement, name string, v *value) error {
	switch name {
	case "Sid":
		return p.sid(s, v)
	case "Effect":
		s.allow = v.text == "Allow"
		if v.kind != text || v.text != "Allow" && v.text != "Deny" {
			return malformed(wrongSyntax, "%s: Effect is neither Allow nor Deny", p.where)
		}
		return nil
	case "Principal", "NotPrincipal":
		s.notPrincipal = name == "NotPrincipal"
		return p.principals(s, v)
	case "Action", "NotAction":
		s.notAction = name == "NotAction"
		return p.actions(s, v)
	case "Resource", "NotResource":
		s.notResource = name == "NotResource"
		return p.resources(s, v)
	case "Condition":
		s.hasCondition = true
		return p.conditions(s, v)
	}
	return malformed(wrongSyntax, "%s: %q is no element of a statement", p.where, name)
}

// complete says what a statement lacks, or has too much.
func (p *parser) complete(s *statement, seen map[string]bool) error {
	switch kind := p.document.kind; {
	case !seen["Effect"]:
		return malformed(wrongSyntax, "%s has no Effect", p.where)
	case !seen["Action"]:
		return malformed(noActions, "%s", p.where)
	case !kind.resourceBased() && seen["Principal"]:
		return malformed(principalInside, "%s", p.where)
	case kind.resourceBased() && !seen["Principal"]:
		return malformed(missingPrincipal, "%s", p.where)
	case kind == TrustPolicy && seen["Resource"]:
		return malformed(prohibitsResource, "%s", p.where)
	case kind != TrustPolicy && !seen["Resource"]:
		return malformed(noResources, "%s", p.where)
	case s.notPrincipal && s.allow: // "The NotPrincipal element must be used with "Effect": "Deny""
		return malformed(wrongSyntax, "%s: NotPrincipal goes with the effect Deny only", p.where)
	}
	return nil
}

// sid reads a statement's id. In key policies it is any text.
func (p *parser) sid(s *statement, v *value) error {
	if v.kind != text {
		return malformed(wrongSyntax, "%s: Sid is no string", p.where)
	}
	s.sid, s.hasSid = v.text, true
	if p.document.kind == KeyPolicy || s.sid == "" {
		return nil
	}
	if !only(s.sid, lowers+uppers+digits) {
		return malformed(wrongSid, "%s", p.where)
	}
	if p.sids[s.sid] {
		return malformed(repeatedSid, "%s", p.where)
	}
	p.sids[s.sid] = true
	return nil
}

// principals reads "*", or an object of the types of principals.
func (p *parser) principals(s *statement, v *value) error {
	s.principals = &principals{}
	if v.kind == text && v.text == "*" {
		s.principals.everyone = true
		s.principals.entries = []principalEntry{{kind: typeAWS, text: "*", anyone: true}}
		return nil
	}
	if v.kind != object || len(v.members) == 0 {
		return p.invalidPrincipal("", "")
	}
	for i := range v.members {
		m := &v.members[i]
		kind := principalType(m.name)
		list, ok := m.value.texts()
		if !ok || len(list) == 0 || kind != typeAWS && kind != typeService && kind != typeFederated {
			return p.invalidPrincipal(m.name, m.value.text)
		}
		if kind == typeFederated && p.document.kind == KeyPolicy {
			return p.invalidPrincipal(m.name, list[0])
		}
		for _, name := range list {
			entry, ok := parsePrincipal(kind, name)
			if !ok {
				return p.invalidPrincipal(m.name, name)
			}
			s.principals.entries = append(s.principals.entries, entry)
		}
	}
	return nil
}

func (p *parser) invalidPrincipal(kind, name string) error {
	if p.document.kind == KeyPolicy {
		return malformed(invalidPrincipals, "%s: %q: %q", p.where, kind, name)
	}
	return malformed(fmt.Sprintf("Invalid principal in policy: %q:%q", kind, name), "%s", p.where)
}
