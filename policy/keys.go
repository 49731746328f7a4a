package policy

import "strings"

// ContextKeys answers the condition keys that the document asks for, in its
// conditions and its policy variables, as it writes them and each once.
func (d *Document) ContextKeys() []string {
	var list []string
	seen := make(map[string]bool)
	add := func(key string) {
		if !seen[lower(key)] {
			seen[lower(key)] = true
			list = append(list, key)
		}
	}
	for i := range d.statements {
		s := &d.statements[i]
		for j := range s.resources {
			d.variables(s.resources[j].text, add)
		}
		for j := range s.conditions {
			add(s.conditions[j].key)
			for _, value := range s.conditions[j].values {
				d.variables(value, add)
			}
		}
	}
	return list
}

// variables calls add with the keys of the variables in a text.
func (d *Document) variables(text string, add func(key string)) {
	if d.version != version2012 {
		return
	}
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			return
		}
		text = text[at:]
		t, rest, ok := parseVariable(text)
		if !ok {
			text = text[len("${"):]
			continue
		}
		if t.kind == variable {
			key, _, _ := strings.Cut(text[len("${"):len(text)-len(rest)-len("}")], ",")
			add(strings.TrimSpace(key))
		}
		text = rest
	}
}
