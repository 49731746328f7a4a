package policy

import (
	"strings"
)

// template is text of a policy that may have policy variables ("IAM policy
// elements: Variables and tags" in the IAM user guide).
type template struct {
	glob   glob    // where there are no variables
	tokens []token // where there are
}

// token is a piece of a template.
type token struct {
	kind     tokenKind
	text     string // literal, or the variable's condition key in lower case
	fallback *string
}

type tokenKind uint8

const (
	literal tokenKind = iota
	star
	question
	variable
)

// tokenize cuts a text. Without patterns, * and ? are themselves; without
// variables, ${…} is.
func tokenize(text string, patterns, variables bool) []token {
	var tokens []token
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			tokens = append(tokens, token{kind: literal, text: plain.String()})
			plain.Reset()
		}
	}
	for text != "" {
		if variables && strings.HasPrefix(text, "${") {
			if t, rest, ok := parseVariable(text); ok {
				text = rest
				if t.kind == literal {
					plain.WriteString(t.text)
					continue
				}
				flush()
				tokens = append(tokens, t)
				continue
			}
		}
		c := text[0]
		text = text[1:]
		switch {
		case patterns && c == '*':
			flush()
			tokens = append(tokens, token{kind: star})
		case patterns && c == '?':
			flush()
			tokens = append(tokens, token{kind: question})
		default:
			plain.WriteByte(c)
		}
	}
	flush()
	return tokens
}

// parseVariable reads ${key}, ${key, 'default'} or one of the escapes ${*}, ${?}
// and ${$}. What is none of them is literal text.
func parseVariable(text string) (t token, rest string, ok bool) {
	end := strings.IndexByte(text, '}')
	if end < 0 {
		return token{}, "", false
	}
	inner, rest := text[2:end], text[end+1:]
	switch inner {
	case "*", "?", "$":
		return token{kind: literal, text: inner}, rest, true
	}
	key, fallback, has := strings.Cut(inner, ",")
	t = token{kind: variable, text: lower(strings.TrimSpace(key))}
	if !strings.Contains(t.text, ":") {
		return token{}, "", false
	}
	if has {
		quoted := strings.TrimSpace(fallback)
		if len(quoted) < 2 || quoted[0] != '\'' || quoted[len(quoted)-1] != '\'' {
			return token{}, "", false
		}
		quoted = quoted[1 : len(quoted)-1]
		t.fallback = &quoted
	}
	return t, rest, true
}

func newTemplate(tokens []token) template {
	t := template{tokens: tokens}
	for _, k := range tokens {
		if k.kind == variable {
			return t
		}
	}
	g, _ := t.resolve(nil)
	return template{glob: g}
}

// match says whether a text matches. A template that has a variable without a
// value matches nothing.
func (t *template) match(e *evaluation, text string) bool {
	if t.glob != nil {
		return t.glob.match(&e.meter, text)
	}
	g, ok := t.resolve(e)
	return ok && g.match(&e.meter, text)
}

// resolve puts values in the place of variables: as they are, their asterisks
// are no patterns. ok is false where a variable has no value, or several.
func (t *template) resolve(e *evaluation) (g glob, ok bool) {
	b := newGlobBuilder()
	for _, k := range t.tokens {
		switch k.kind {
		case literal:
			b.text(k.text)
		case star:
			b.star()
		case question:
			b.one()
		case variable:
			value, ok := e.value(k)
			if !ok {
				return nil, false
			}
			b.text(value)
		}
	}
	return b.done(), true
}

// value answers the value of a variable.
func (e *evaluation) value(k token) (value string, ok bool) {
	values := e.get(k.text)
	switch {
	case len(values) == 1:
		value = values[0]
	case len(values) == 0 && k.fallback != nil:
		value = *k.fallback
	default:
		return "", false
	}
	return value, e.meter.spend(len(value))
}

// unresolved says whether the template has a variable without a value.
func (t *template) unresolved(e *evaluation) bool {
	if t.glob != nil {
		return false
	}
	for _, k := range t.tokens {
		if k.kind == variable {
			if _, ok := e.value(k); !ok {
				return true
			}
		}
	}
	return false
}

// lower is ASCII lower case, of actions and of the names of condition keys: it
// changes no length, and makes no letters equal that are not.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
