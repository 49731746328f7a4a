package policy

import (
	"slices"
	"strings"
)

// principalType is a member of the Principal element.
type principalType string

const (
	typeAWS       principalType = "AWS"
	typeService   principalType = "Service"
	typeFederated principalType = "Federated"
)

// principals is a Principal or NotPrincipal element ("AWS JSON policy elements:
// Principal" in the IAM user guide).
type principals struct {
	everyone bool // written "*" instead of {"AWS": "*"}
	entries  []principalEntry
}

// principalEntry is one principal of an element.
type principalEntry struct {
	kind    principalType
	text    string // as written
	anyone  bool
	account string // where it names an account as such
	id      string // unique id where it is known
	gone    bool   // it named a user or role that is no more
}

// parsePrincipal reads one principal; ok is false where it is none.
func parsePrincipal(kind principalType, text string) (p principalEntry, ok bool) {
	p = principalEntry{kind: kind, text: text}
	switch kind {
	case typeService:
		name, _, found := strings.Cut(text, ".amazonaws.com")
		return p, found && name != "" && only(text, lowers+digits+".-")
	case typeFederated:
		return p, text != "" && !strings.Contains(text, "*")
	}
	switch {
	case text == "*":
		p.anyone = true
		return p, true
	case accountID(text):
		p.account = text
		return p, true
	case (strings.HasPrefix(text, "AIDA") || strings.HasPrefix(text, "AROA")) && len(text) >= 16 && only(text, uppers+digits):
		p.id = text
		return p, true
	}
	parts := strings.SplitN(text, ":", arnParts)
	if len(parts) != arnParts || parts[0] != "arn" || !partition(parts[1]) || parts[3] != "" || !accountID(parts[4]) {
		return p, false
	}
	if parts[2] == "iam" && parts[5] == "root" {
		p.account = parts[4]
		return p, true
	}
	return p, namesPrincipal(parts[2], parts[5])
}

// namesPrincipal says whether the resource part of an ARN names a user or role, or
// a session of one.
func namesPrincipal(service, resource string) bool {
	kind, name, _ := strings.Cut(resource, "/")
	first, rest, nested := strings.Cut(name, "/")
	switch service + ":" + kind {
	case "iam:user", "iam:role":
		return name != "" && !strings.HasSuffix(name, "/") && only(name, nameCharacters+pathCharacters)
	case "sts:federated-user":
		return name != "" && only(name, nameCharacters)
	case "sts:assumed-role":
		return nested && first != "" && rest != "" && only(first+rest, nameCharacters)
	}
	return false
}

// The characters of names and paths in IAM ("IAM identifiers" in the IAM user
// guide).
const (
	lowers         = "abcdefghijklmnopqrstuvwxyz"
	uppers         = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits         = "0123456789"
	nameCharacters = lowers + uppers + digits + "_+=,.@-"
	pathCharacters = "/!\"#$%&'();<>[]^`{|}~" // and those of names, but neither * nor ?
)

// only says whether a text has no other characters than these.
func only(text, characters string) bool { return strings.Trim(text, characters) == "" }

func accountID(text string) bool { return len(text) == 12 && only(text, digits) }

func partition(name string) bool { return name == "aws" || name == "aws-cn" || name == "aws-us-gov" }

// entity says whether the principal is a user or role, or was one: what has a
// unique id.
func (p *principalEntry) entity() bool {
	return p.kind == typeAWS && !p.anyone && p.account == "" && !strings.Contains(p.text, ":sts:")
}

// names answers how the entry names a principal.
func (p *principalEntry) names(who *Principal) Reach {
	switch {
	case p.gone:
		return Unnamed
	case p.kind == typeService:
		return when(p.text == who.Service, ByName)
	case p.kind == typeFederated:
		return when(p.text == who.Federated, ByName)
	case p.anyone && who.session():
		return ByIssuer
	case p.anyone:
		return ByName
	case p.account != "" && who.Root:
		return when(p.account == who.Account, ByName)
	case p.account != "":
		return when(p.account == who.Account, ByAccount)
	case p.id != "" && p.id == who.ID, p.id == "" && p.text == who.ARN:
		return ByName
	case p.id != "" && p.id == who.IssuerID, p.id == "" && p.text == who.Issuer:
		return ByIssuer
	}
	return Unnamed
}

func when(condition bool, reach Reach) Reach {
	if condition {
		return reach
	}
	return Unnamed
}

// names answers how the element names a principal: in the way that reaches
// furthest.
func (l *principals) names(e *evaluation) Reach {
	best := Unnamed
	for i := range l.entries {
		p := &l.entries[i]
		if !e.meter.spend(1 + len(p.text)) {
			return Unnamed
		}
		if best = max(best, p.names(e.request.Principal)); best == ByName {
			break
		}
	}
	return best
}

// spares says whether a NotPrincipal element lets a principal go: it must name
// the principal itself, a session's role, and the account ("AWS JSON policy
// elements: NotPrincipal" in the IAM user guide).
func (l *principals) spares(e *evaluation) bool {
	who := e.request.Principal
	account := who.Root || who.Account == ""
	issuer := !who.session()
	var name bool
	for i := range l.entries {
		p := &l.entries[i]
		if !e.meter.spend(1 + len(p.text)) {
			return false
		}
		if p.anyone {
			return true
		}
		reach := p.names(who)
		account = account || reach == ByAccount
		issuer = issuer || reach == ByIssuer
		name = name || reach == ByName
	}
	return account && issuer && name
}

// Principals answers the users and roles that the document names, each once, as
// it is written: ARNs, and unique ids of those that are no more.
func (d *Document) Principals() []string {
	var list []string
	for i := range d.statements {
		if who := d.statements[i].principals; who != nil {
			for j := range who.entries {
				if p := &who.entries[j]; p.entity() && !slices.Contains(list, p.text) {
					list = append(list, p.text)
				}
			}
		}
	}
	return list
}

// Accounts answers the ids of the accounts that the document names as such, each
// once.
func (d *Document) Accounts() []string {
	var list []string
	for i := range d.statements {
		if who := d.statements[i].principals; who != nil {
			for j := range who.entries {
				if id := who.entries[j].account; id != "" && !slices.Contains(list, id) {
					list = append(list, id)
				}
			}
		}
	}
	return list
}

// Bind answers a copy of the document whose users and roles are known by their
// unique ids, which ids has for the texts that [Document.Principals] answers. A
// user or role without an id is nobody: one that is made again under the same
// name is somebody else ("AWS JSON policy elements: Principal").
func (d *Document) Bind(ids map[string]string) *Document {
	bound := *d
	bound.statements = slices.Clone(d.statements)
	for i := range bound.statements {
		s := &bound.statements[i]
		if s.principals == nil {
			continue
		}
		copied := *s.principals
		copied.entries = slices.Clone(copied.entries)
		for j := range copied.entries {
			if p := &copied.entries[j]; p.entity() {
				p.id = ids[p.text]
				p.gone = p.id == ""
			}
		}
		s.principals = &copied
	}
	return &bound
}
