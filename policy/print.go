package policy

import (
	"encoding/json"
	"strings"
)

// String is the document as JSON without spaces. Parsed again as the same kind, it
// is the same document.
func (d *Document) String() string {
	w := &writer{}
	w.open('{')
	if d.version != "" {
		w.text("Version", d.version)
	}
	if d.id != nil {
		w.text("Id", *d.id)
	}
	w.name("Statement")
	if !d.single {
		w.open('[')
	}
	for i := range d.statements {
		w.separate()
		d.statements[i].print(w)
	}
	if !d.single {
		w.close(']')
	}
	w.close('}')
	return w.String()
}

func (s *statement) print(w *writer) {
	w.open('{')
	if s.hasSid {
		w.text("Sid", s.sid)
	}
	if s.allow {
		w.text("Effect", "Allow")
	} else {
		w.text("Effect", "Deny")
	}
	if s.principals != nil {
		w.name(negation(s.notPrincipal) + "Principal")
		s.principals.print(w)
	}
	w.name(negation(s.notAction) + "Action")
	actions := make([]string, 0, len(s.actions))
	for i := range s.actions {
		actions = append(actions, s.actions[i].text)
	}
	w.list(actions)
	if s.resources != nil {
		w.name(negation(s.notResource) + "Resource")
		resources := make([]string, 0, len(s.resources))
		for i := range s.resources {
			resources = append(resources, s.resources[i].text)
		}
		w.list(resources)
	}
	s.printConditions(w)
	w.close('}')
}

func negation(not bool) string {
	if not {
		return "Not"
	}
	return ""
}

// printConditions writes each operator once, with all its keys, which are beside
// one another.
func (s *statement) printConditions(w *writer) {
	if !s.hasCondition {
		return
	}
	w.name("Condition")
	w.open('{')
	for i := range s.conditions {
		c := &s.conditions[i]
		if i == 0 || s.conditions[i-1].name != c.name {
			w.name(c.name)
			w.open('{')
		}
		w.name(c.key)
		w.list(c.values)
		if i == len(s.conditions)-1 || s.conditions[i+1].name != c.name {
			w.close('}')
		}
	}
	w.close('}')
}

func (l *principals) print(w *writer) {
	if l.everyone {
		w.value("*")
		return
	}
	w.open('{')
	for _, kind := range []principalType{typeAWS, typeService, typeFederated} {
		var list []string
		for i := range l.entries {
			if l.entries[i].kind == kind {
				list = append(list, l.entries[i].text)
			}
		}
		if list != nil {
			w.name(string(kind))
			w.list(list)
		}
	}
	w.close('}')
}

// writer writes JSON.
type writer struct {
	strings.Builder
	more bool // something of this object or array is written already
}

func (w *writer) separate() {
	if w.more {
		w.WriteByte(',')
	}
	w.more = false
}

func (w *writer) open(bracket byte) {
	w.WriteByte(bracket)
	w.more = false
}

func (w *writer) close(bracket byte) {
	w.WriteByte(bracket)
	w.more = true
}

func (w *writer) name(s string) {
	w.separate()
	w.value(s)
	w.WriteByte(':')
	w.more = false
}

func (w *writer) value(s string) {
	w.separate()
	b, _ := json.Marshal(s) // cannot fail for a string
	w.Write(b)
	w.more = true
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.value(value)
}

// list writes one string as itself and others as an array, as people do.
func (w *writer) list(texts []string) {
	if len(texts) == 1 {
		w.value(texts[0])
		return
	}
	w.open('[')
	for _, t := range texts {
		w.value(t)
	}
	w.close(']')
}
