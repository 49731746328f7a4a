package policy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// oracle decides as AWS's published logic says, slowly and obviously: from the
// JSON of the documents, with regular expressions, one question after the other
// ("Policy evaluation logic" in the IAM user guide). It shares nothing with what
// it judges but the types of requests.
type oracle struct {
	resource *oracleDocument
	identity []*oracleDocument
	boundary *oracleDocument
	session  []*oracleDocument
	grant    Reach
	request  *Request
	context  words
}

type oracleDocument struct {
	Version   string
	Statement []oracleStatement
	ids       map[string]string
}

type oracleStatement struct {
	Sid                     string
	Effect                  string
	Principal, NotPrincipal map[string][]string
	Action, NotAction       []string
	Resource, NotResource   []string
	Condition               map[string]map[string][]string
}

func newOracleDocument(text string, ids map[string]string) *oracleDocument {
	d := &oracleDocument{ids: ids}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		panic(err) // the generator writes lists everywhere
	}
	return d
}

// decide answers the outcome, and for denials the source that AWS names.
func (o *oracle) decide() (Outcome, Source) {
	who, own := o.request.Principal, o.request.Principal.Account == o.request.Account
	// 1. Is there an explicit denial?
	if o.resource != nil && o.speaks(o.resource, "Deny") != nil {
		return ExplicitDeny, ByResource
	}
	for _, list := range []struct {
		documents []*oracleDocument
		source    Source
	}{{o.identity, ByIdentity}, {[]*oracleDocument{o.boundary}, ByBoundary}, {o.session, BySession}} {
		for _, d := range list.documents {
			if d != nil && o.speaks(d, "Deny") != nil {
				return ExplicitDeny, list.source
			}
		}
	}
	// 2. What do the parts say?
	identity := who.Root
	for _, d := range o.identity {
		identity = identity || o.speaks(d, "Allow") != nil
	}
	boundary := o.boundary == nil || o.speaks(o.boundary, "Allow") != nil
	session := len(o.session) == 0
	for _, d := range o.session {
		session = session || o.speaks(d, "Allow") != nil
	}
	var named, role, account bool
	if o.resource != nil {
		for _, how := range o.speaks(o.resource, "Allow") {
			named, role, account = named || how == ByName, role || how == ByIssuer, account || how == ByAccount
		}
	}
	account = account || o.grant == ByAccount && who.Account != ""
	missing := func() Source {
		switch {
		case !identity:
			return ByIdentity
		case !boundary:
			return ByBoundary
		}
		return BySession
	}
	// 3. Without a policy of the resource.
	if o.resource == nil {
		switch {
		case !own:
			return ImplicitDeny, ByResource
		case identity && boundary && session:
			return Allow, NoSource
		}
		return ImplicitDeny, missing()
	}
	// 4. What allows?
	anyhow := named || role || account
	switch {
	case named && (own || who.Account == ""),
		role && own && boundary && session,
		account && own && identity && boundary && session,
		anyhow && !own && who.Account != "" && identity && boundary && session,
		o.grant == ByName,
		o.grant == ByIssuer && boundary && session:
		return Allow, NoSource
	}
	// 5. What is missing?
	if o.grant == ByIssuer || role && own {
		identity = true
		return ImplicitDeny, missing()
	}
	if !anyhow {
		return ImplicitDeny, ByResource
	}
	return ImplicitDeny, missing()
}

// speaks answers how the statements of an effect that apply name the principal.
func (o *oracle) speaks(d *oracleDocument, effect string) []Reach {
	var hows []Reach
	for i := range d.Statement {
		s := &d.Statement[i]
		if s.Effect != effect || !o.action(s) || !o.about(d, s, effect) || !o.conditions(d, s) {
			continue
		}
		if how := o.names(d, s); how != Unnamed {
			hows = append(hows, how)
		}
	}
	return hows
}

func (o *oracle) action(s *oracleStatement) bool {
	for _, a := range append(s.Action, s.NotAction...) {
		if like(strings.ToLower(a), strings.ToLower(o.request.Action)) {
			return s.Action != nil
		}
	}
	return s.Action == nil
}

func (o *oracle) about(d *oracleDocument, s *oracleStatement, effect string) bool {
	found, unknown := false, false
	for _, pattern := range append(s.Resource, s.NotResource...) {
		matches, ok := o.arnLike(d, pattern, o.request.Resource)
		found, unknown = found || matches, unknown || !ok
	}
	if s.NotResource == nil {
		return found
	}
	return !found && !(unknown && effect == "Allow")
}

func (o *oracle) names(d *oracleDocument, s *oracleStatement) Reach {
	if s.Principal == nil && s.NotPrincipal == nil {
		return ByAccount
	}
	who := o.request.Principal
	best, name, role, account := Unnamed, false, false, false
	list := s.Principal
	if s.NotPrincipal != nil {
		list = s.NotPrincipal
	}
	for kind, names := range list {
		for _, text := range names {
			how := Unnamed
			id, entity := d.ids[text], strings.Contains(text, ":user/") || strings.Contains(text, ":role/")
			digits := strings.TrimSuffix(strings.TrimPrefix(text, "arn:aws:iam::"), ":root")
			switch {
			case kind == "Service":
				if who.Service == text {
					how = ByName
				}
			case text == "*":
				name, role, account = true, true, true
				how = ByName
				if who.IssuerID != "" {
					how = ByIssuer
				}
			case len(digits) == 12 && digits == who.Account:
				how, account = ByAccount, true
				if who.Root {
					how, name = ByName, true
				}
			case entity && id != "" && id == who.ID, !entity && text == who.ARN && !who.Root:
				how, name = ByName, true
			case entity && id != "" && id == who.IssuerID:
				how, role = ByIssuer, true
			}
			name = name || how == ByName
			best = max(best, how)
		}
	}
	if s.NotPrincipal == nil {
		return best
	}
	if o.boundary == nil && name && (role || who.IssuerID == "") && (account || who.Account == "") {
		return Unnamed
	}
	return ByName
}

func (o *oracle) conditions(d *oracleDocument, s *oracleStatement) bool {
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if !o.condition(d, operator, o.context[strings.ToLower(key)], values) {
				return false
			}
		}
	}
	return true
}

func (o *oracle) condition(d *oracleDocument, operator string, got, want []string) bool {
	all, isAll := strings.CutPrefix(operator, "ForAllValues:")
	any, isAny := strings.CutPrefix(all, "ForAnyValue:")
	name, ifExists := strings.CutSuffix(any, "IfExists")
	if name == "Null" {
		for _, w := range want {
			if (w == "true") == (len(got) == 0) {
				return true
			}
		}
		return false
	}
	positive := strings.Replace(name, "Not", "", 1)
	negated := positive != name
	matches := func(g string) bool {
		for _, w := range want {
			if o.compare(d, positive, g, w) {
				return true
			}
		}
		return false
	}
	hits := 0
	for _, g := range got {
		if matches(g) {
			hits++
		}
	}
	switch {
	case len(got) == 0 && (ifExists || isAll):
		return true
	case len(got) == 0 && isAny:
		return false
	case len(got) == 0:
		return negated
	case isAll && negated:
		return hits == 0
	case isAll:
		return hits == len(got)
	case isAny && negated:
		return hits < len(got)
	case negated:
		return hits == 0
	}
	return hits > 0
}

// compare compares one value of the request with one of the policy.
func (o *oracle) compare(d *oracleDocument, operator, got, want string) bool {
	if strings.HasPrefix(operator, "String") {
		pattern, ok := o.pattern(d, want, operator == "StringLike")
		if operator == "StringEqualsIgnoreCase" {
			pattern = "(?i)" + pattern
		}
		return ok && regexp.MustCompile("(?s)^(?:"+pattern+")$").MatchString(got)
	}
	if strings.HasPrefix(operator, "Arn") {
		matches, _ := o.arnLike(d, want, got)
		return matches && strings.HasPrefix(got, "arn:")
	}
	switch operator {
	case "Bool":
		return strings.EqualFold(got, want)
	case "IpAddress":
		a, err := netip.ParseAddr(got)
		return err == nil && netip.MustParsePrefix(want).Contains(a)
	}
	if rest, ok := strings.CutPrefix(operator, "Date"); ok {
		g, err := time.Parse(time.RFC3339, got)
		w, _ := time.Parse(time.RFC3339, want)
		return err == nil && compared(rest, g.Sub(w).Seconds())
	}
	if rest, ok := strings.CutPrefix(operator, "Numeric"); ok {
		g, err := strconv.ParseFloat(got, 64)
		w, _ := strconv.ParseFloat(want, 64)
		return err == nil && compared(rest, g-w)
	}
	panic(fmt.Sprintf("no operator %q", operator))
}

func compared(comparison string, difference float64) bool {
	switch comparison {
	case "Equals":
		return difference == 0
	case "LessThan":
		return difference < 0
	case "LessThanEquals":
		return difference <= 0
	case "GreaterThan":
		return difference > 0
	}
	return difference >= 0
}

func like(pattern, text string) bool {
	return regexp.MustCompile("(?s)^" + wild(pattern) + "$").MatchString(text)
}

func wild(pattern string) string {
	return strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`), `\?`, `.`)
}

// pattern is the regular expression of a text with variables. ok is false where
// one has no value.
func (o *oracle) pattern(d *oracleDocument, text string, wildcards bool) (expression string, ok bool) {
	ok = true
	plain := regexp.QuoteMeta
	if wildcards {
		plain = wild
	}
	if d.Version != version2012 {
		return plain(text), true
	}
	rest := text
	for _, v := range regexp.MustCompile(`\$\{[^}]*\}`).FindAllString(text, -1) {
		before, after, _ := strings.Cut(rest, v)
		expression, rest = expression+plain(before), after
		inner := v[2 : len(v)-1]
		key, fallback, has := strings.Cut(inner, ", ")
		values := o.context[strings.ToLower(key)]
		switch {
		case inner == "*" || inner == "?" || inner == "$":
			expression += regexp.QuoteMeta(inner)
		case len(values) == 1:
			expression += regexp.QuoteMeta(values[0])
		case len(values) == 0 && has:
			expression += regexp.QuoteMeta(strings.Trim(fallback, "'"))
		default:
			ok = false
		}
	}
	return expression + plain(rest), ok
}

// arnLike compares part by part. ok is false where a variable has no value.
func (o *oracle) arnLike(d *oracleDocument, pattern, text string) (matches, ok bool) {
	if pattern == "*" {
		return true, true
	}
	parts := strings.SplitN(regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllStringFunc(pattern, func(v string) string {
		return strings.ReplaceAll(v, ":", "\x00")
	}), ":", 6)
	given := strings.SplitN(text, ":", 6)
	matches, ok = len(parts) == 6 && len(given) == 6, true
	for i := range parts {
		expression, resolved := o.pattern(d, strings.ReplaceAll(parts[i], "\x00", ":"), true)
		ok = ok && resolved
		if matches {
			matches = resolved && regexp.MustCompile("(?s)^(?:"+expression+")$").MatchString(given[i])
		}
	}
	return matches, ok
}
