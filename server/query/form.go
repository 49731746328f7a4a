package query

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// ErrMalformed is returned for a body that is no form.
var ErrMalformed = call.Errorf("MalformedQueryString", "The query string contains a syntax error.")

// Action answers what a form asks for: its operation and the version of the API
// that it means; both empty where it is no form.
func Action(body []byte) (operation, version string) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", ""
	}
	return form.Get("Action"), form.Get("Version")
}

// object writes a form as the JSON object that a shape decodes. Fields that are
// not in the shape are dropped, as the JSON protocol ignores unknown members.
func object(body []byte, d *shape.Description) ([]byte, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, ErrMalformed
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	w := &writer{form: form, names: names}
	err = w.structure("", d)
	return w.out.Bytes(), err
}

// writer writes the fields of a form as JSON.
type writer struct {
	form  url.Values
	names []string // sorted
	out   bytes.Buffer
}

// has says whether the form has a field of a path, or one below it.
func (w *writer) has(path string) bool {
	if _, is := w.form[path]; is {
		return true
	}
	i, _ := slices.BinarySearch(w.names, path+".")
	return i < len(w.names) && strings.HasPrefix(w.names[i], path+".")
}

func (w *writer) structure(prefix string, d *shape.Description) error {
	w.out.WriteByte('{')
	first := true
	for name, member := range d.Members {
		path := prefix + name
		if !w.has(path) {
			continue
		}
		if !first {
			w.out.WriteByte(',')
		}
		first = false
		w.text(name)
		w.out.WriteByte(':')
		if err := w.value(path, &member); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *writer) value(path string, d *shape.Description) error {
	switch d.Type {
	case "structure":
		return w.structure(path+".", d)
	case "list":
		return w.list(path+".member.", d.Member)
	case "integer":
		return w.integer(w.form.Get(path))
	case "boolean":
		return w.boolean(w.form.Get(path))
	}
	w.text(w.form.Get(path))
	return nil
}

// list writes the elements from 1 on, as many as follow one another.
func (w *writer) list(prefix string, element *shape.Description) error {
	w.out.WriteByte('[')
	for n := 1; w.has(prefix + strconv.Itoa(n)); n++ {
		if n > 1 {
			w.out.WriteByte(',')
		}
		if err := w.value(prefix+strconv.Itoa(n), element); err != nil {
			return err
		}
	}
	w.out.WriteByte(']')
	return nil
}

func (w *writer) integer(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return malformed(s)
	}
	w.out.WriteString(strconv.FormatInt(n, 10))
	return nil
}

func (w *writer) boolean(s string) error {
	switch strings.ToLower(s) {
	case "true", "false":
		w.out.WriteString(strings.ToLower(s))
		return nil
	}
	return malformed(s)
}

func (w *writer) text(s string) {
	b, _ := json.Marshal(strings.ToValidUTF8(s, "\uFFFD")) // a string: it cannot fail
	w.out.Write(b)
}

// malformed refuses a value of the wrong type ("Common Errors", IAM API
// reference).
func malformed(s string) error {
	return call.Errorf("MalformedInput", "Unable to parse a value of %d characters as its type.", len(s))
}
