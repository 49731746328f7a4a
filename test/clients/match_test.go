package clients

import (
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// matcher compares an answer with what the scenario expects of it, and learns the
// values of variables.
type matcher struct {
	vars map[string]any
	// known says whether the client's release knows a member of the answer.
	known    func(member string) bool
	problems []string
}

func (m *matcher) problem(at, format string, args ...any) {
	m.problems = append(m.problems, strings.TrimPrefix(at, ".")+": "+fmt.Sprintf(format, args...))
}

// match compares a value. What is expected is
//
//	"*"            anything that is there
//	"#32"          bytes, that many
//	"/…/"          text that matches the expression
//	"$name"        a variable: what it is, or whatever is there, which it then is
//	{"$has": v}    a list with an element v
//	{…}            exactly these members; also others where there is "..."
//
// and anything else as it is, ${name} in text being a variable's value.
func (m *matcher) match(at string, want, got any) {
	switch want := want.(type) {
	case string:
		m.text(at, want, got)
	case map[string]any:
		if element, ok := want["$has"]; ok {
			m.has(at, element, got)
		} else {
			m.object(at, want, got)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			m.problem(at, "got %v, want %d elements", got, len(want))
			return
		}
		for i := range want {
			m.match(fmt.Sprintf("%s[%d]", at, i), want[i], list[i])
		}
	default:
		if !reflect.DeepEqual(want, got) {
			m.problem(at, "got %v, want %v", got, want)
		}
	}
}

func (m *matcher) text(at, want string, got any) {
	if name, ok := variable(want); ok {
		if value, bound := m.vars[name]; !bound {
			m.vars[name] = got
		} else if !reflect.DeepEqual(value, got) {
			m.problem(at, "got %v, want $%s, which is %v", got, name, value)
		}
		return
	}
	var length int
	switch {
	case want == "*":
	case strings.HasPrefix(want, "#"):
		if _, err := fmt.Sscanf(want, "#%d", &length); err != nil {
			m.problem(at, "%q: %v", want, err)
		} else if b, ok := got.([]byte); !ok || len(b) != length {
			m.problem(at, "got %v, want %d bytes", got, length)
		}
	case len(want) > 1 && strings.HasPrefix(want, "/") && strings.HasSuffix(want, "/"):
		expression, err := regexp.Compile("^" + m.expand(want[1:len(want)-1]) + "$")
		if text, ok := got.(string); err != nil || !ok || !expression.MatchString(text) {
			m.problem(at, "got %v, want %s %v", got, want, err)
		}
	default:
		if b, ok := got.([]byte); ok {
			got = string(b)
		}
		if expanded := m.expand(want); !reflect.DeepEqual(expanded, got) {
			m.problem(at, "got %v, want %q", got, expanded)
		}
	}
}

func (m *matcher) has(at string, want, got any) {
	list, _ := got.([]any)
	for _, element := range list {
		try := &matcher{vars: maps.Clone(m.vars), known: m.known}
		if try.match("", want, element); try.problems == nil {
			maps.Copy(m.vars, try.vars)
			return
		}
	}
	m.problem(at, "no element of %v is like %v", got, want)
}

func (m *matcher) object(at string, want map[string]any, got any) {
	object, ok := got.(map[string]any)
	if !ok {
		m.problem(at, "got %v, want an object", got)
		return
	}
	_, open := want["..."]
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, expected := want[name]; !expected && !open {
			m.problem(at+"."+name, "got %v, want nothing", object[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if name == "..." {
			continue
		}
		if value, there := object[name]; there {
			m.match(at+"."+name, want[name], value)
		} else if m.known(name) {
			m.problem(at+"."+name, "is missing")
		}
	}
}

// variable answers the name in "$name".
func variable(text string) (string, bool) {
	name, ok := strings.CutPrefix(text, "$")
	return name, ok && identifier.MatchString(name)
}

var (
	identifier = regexp.MustCompile(`^[a-z]\w*$`)
	reference  = regexp.MustCompile(`\$\{[a-z]\w*\}`)
)

// expand puts the values of variables into a text.
func (m *matcher) expand(text string) string {
	return reference.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := m.vars[name[2:len(name)-1]]
		if !ok {
			m.problem("", "%s has no value", name)
		}
		return fmt.Sprint(value)
	})
}

// model gives an answer the types of the SDK's struct: bytes and times, which JSON
// does not have.
func model(of reflect.Type, v any) any {
	for of.Kind() == reflect.Pointer && of != reflect.TypeFor[*time.Time]() {
		of = of.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = member
			if of.Kind() == reflect.Struct {
				if field, ok := of.FieldByName(name); ok {
					out[name] = model(field.Type, member)
				}
			}
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range v {
			if of.Kind() == reflect.Slice {
				out[i] = model(of.Elem(), v[i])
			}
		}
		return out
	case string:
		if of == reflect.TypeFor[[]byte]() {
			if b, err := base64.StdEncoding.DecodeString(v); err == nil {
				return b
			}
		}
		if of == reflect.TypeFor[*time.Time]() {
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return at.Unix()
			}
		}
	case float64:
		if of == reflect.TypeFor[*time.Time]() {
			return int64(v)
		}
	}
	return v
}
