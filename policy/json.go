package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// value is a JSON value as policies have them. encoding/json alone would take the
// last of two members of one name, and any letter case: what a document says must
// not depend on who reads it.
type value struct {
	kind    valueKind
	text    string   // of a string, number or truth value
	members []member // of an object, in order
	items   []value  // of an array
}

type member struct {
	name  string
	value value
}

type valueKind uint8

const (
	nothing valueKind = iota
	text
	number
	truth
	object
	array
)

// maxDepth is how deep a document may nest; the deepest ones that mean something
// need six.
const maxDepth = 8

// parseJSON reads a text that is one JSON value and nothing else.
func parseJSON(s string) (value, error) {
	if !utf8.ValidString(s) {
		return value{}, fmt.Errorf("not UTF-8")
	}
	in := json.NewDecoder(strings.NewReader(s))
	in.UseNumber()
	v, err := readValue(in, 0)
	if err != nil {
		return value{}, err
	}
	if _, err := in.Token(); err != io.EOF {
		return value{}, fmt.Errorf("text after the document")
	}
	return v, nil
}

func readValue(in *json.Decoder, depth int) (value, error) {
	t, err := in.Token()
	if err != nil {
		return value{}, err
	}
	switch t := t.(type) {
	case string:
		return value{kind: text, text: t}, nil
	case json.Number:
		return value{kind: number, text: t.String()}, nil
	case bool:
		return value{kind: truth, text: fmt.Sprint(t)}, nil
	case json.Delim:
		if depth == maxDepth {
			return value{}, fmt.Errorf("nested more than %d levels", maxDepth)
		}
		if t == '{' {
			return readObject(in, depth)
		}
		return readArray(in, depth)
	}
	return value{}, nil // null
}

func readObject(in *json.Decoder, depth int) (value, error) {
	v := value{kind: object}
	seen := make(map[string]bool)
	for in.More() {
		t, err := in.Token()
		if err != nil {
			return value{}, err
		}
		name := t.(string) // the decoder lets nothing else be a name
		if seen[name] {
			return value{}, fmt.Errorf("two members %q in one object", name)
		}
		seen[name] = true
		member := member{name: name}
		if member.value, err = readValue(in, depth+1); err != nil {
			return value{}, err
		}
		v.members = append(v.members, member)
	}
	_, err := in.Token()
	return v, err
}

func readArray(in *json.Decoder, depth int) (value, error) {
	v := value{kind: array}
	for in.More() {
		item, err := readValue(in, depth+1)
		if err != nil {
			return value{}, err
		}
		v.items = append(v.items, item)
	}
	_, err := in.Token()
	return v, err
}

// texts answers a string, or the strings of an array. ok is false for others.
func (v *value) texts() (list []string, ok bool) {
	switch v.kind {
	case text:
		return []string{v.text}, true
	case array:
		for _, item := range v.items {
			if item.kind != text {
				return nil, false
			}
			list = append(list, item.text)
		}
		return list, true
	}
	return nil, false
}

// scalars is texts that takes numbers and truth values, too.
func (v *value) scalars() (list []string, ok bool) {
	items := v.items
	if v.kind != array {
		items = []value{*v}
	}
	for _, item := range items {
		if item.kind != text && item.kind != number && item.kind != truth {
			return nil, false
		}
		list = append(list, item.text)
	}
	return list, true
}
