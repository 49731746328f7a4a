package policy

import "strings"

// arnParts is how many parts an ARN has:
// arn:partition:service:region:account:resource. The resource may have colons of
// its own.
const arnParts = 6

// arnTemplate is a pattern of ARNs. Each of the six parts is compared for itself,
// so a wildcard does not reach over the colons before the resource ("Amazon
// Resource Name (ARN) condition operators" in the IAM user guide).
type arnTemplate struct {
	all   bool // "*"
	parts [arnParts]template
}

// newARNTemplate compiles a pattern. ok is false where it has not six parts.
func newARNTemplate(text string, variables bool) (t arnTemplate, ok bool) {
	if text == "*" {
		return arnTemplate{all: true}, true
	}
	var parts [arnParts][]token
	n := 0
	for _, k := range tokenize(text, true, variables) {
		for k.kind == literal && n < arnParts-1 {
			before, after, found := strings.Cut(k.text, ":")
			if !found {
				break
			}
			if before != "" {
				parts[n] = append(parts[n], token{kind: literal, text: before})
			}
			n++
			k.text = after
		}
		if k.kind != literal || k.text != "" {
			parts[n] = append(parts[n], k)
		}
	}
	for i, tokens := range parts {
		t.parts[i] = newTemplate(tokens)
	}
	return t, n == arnParts-1
}

// match says whether a text is an ARN that matches.
func (t *arnTemplate) match(e *evaluation, text string) bool {
	if t.all {
		return true
	}
	for i := range t.parts {
		part := text
		if i < arnParts-1 {
			var found bool
			if part, text, found = strings.Cut(text, ":"); !found {
				return false
			}
		}
		if !t.parts[i].match(e, part) {
			return false
		}
	}
	return true
}

func (t *arnTemplate) unresolved(e *evaluation) bool {
	for i := range t.parts {
		if !t.all && t.parts[i].unresolved(e) {
			return true
		}
	}
	return false
}
