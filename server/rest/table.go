package rest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Table finds the route of a request. It is immutable and safe for concurrent
// use.
type Table struct{ rows []row } // the most particular first

// row is a route with its path in segments.
type row struct {
	*Route
	segments []segment
}

// segment is a part of a path between slashes.
type segment struct {
	text string // literal, or the name of a parameter
	kind kind
}

// kind is a kind of segment; of two paths that both match, the one that has the
// smaller kind first is meant.
type kind uint8

const (
	literal   kind = iota
	parameter      // {name}
	remainder      // {name...}
)

// Match is a route with what the path of a request says of its parameters.
type Match struct {
	*Route
	Parameters map[string]string
}

// NewTable makes a table. It panics where two routes have the same requests or
// the same name, or a parameter is no member of the request: routes are written,
// not configured.
func NewTable(routes []Route) *Table {
	t := &Table{}
	names := map[string]bool{}
	for i := range routes {
		r := row{&routes[i], parse(routes[i].Path)}
		for _, s := range r.segments {
			if _, member := r.Request.Members[s.text]; s.kind != literal && !member {
				panic(fmt.Sprintf("rest: %s has no member %s", r.Spec.Name, s.text))
			}
		}
		if names[r.Spec.Name] {
			panic("rest: two routes are called " + r.Spec.Name)
		}
		names[r.Spec.Name] = true
		t.rows = append(t.rows, r)
	}
	slices.SortStableFunc(t.rows, func(a, b row) int {
		order := compare(a.segments, b.segments)
		if order == 0 && a.Method == b.Method {
			panic(fmt.Sprintf("rest: %s and %s have the same requests", a.Spec.Name, b.Spec.Name))
		}
		return order
	})
	return t
}

func parse(path string) (segments []segment) {
	for text := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		name, braced := strings.CutPrefix(text, "{")
		name = strings.TrimSuffix(name, "}")
		rest, more := strings.CutSuffix(name, "...")
		switch {
		case !braced:
			segments = append(segments, segment{text, literal})
		case more:
			segments = append(segments, segment{rest, remainder})
		default:
			segments = append(segments, segment{name, parameter})
		}
	}
	return segments
}

func compare(a, b []segment) int {
	return slices.CompareFunc(a, b, func(a, b segment) int {
		order := cmp.Compare(a.kind, b.kind)
		if order == 0 && a.kind == literal {
			order = strings.Compare(a.text, b.text)
		}
		return order
	})
}

// Find answers the route of a request, nil where there is none. A path with an
// empty or a relative segment is nobody's: a signature covers such a path in
// another form.
func (t *Table) Find(r *http.Request) *Match {
	var path []string
	for text := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		text, err := url.PathUnescape(text)
		if err != nil || text == "" || text == "." || text == ".." {
			return nil
		}
		path = append(path, text)
	}
	for i := range t.rows {
		row := &t.rows[i]
		if row.Method != r.Method {
			continue
		}
		if parameters, ok := row.match(path); ok {
			return &Match{row.Route, parameters}
		}
	}
	return nil
}

func (r *row) match(path []string) (map[string]string, bool) {
	parameters := map[string]string{}
	for i, s := range r.segments {
		switch {
		case i >= len(path):
			return nil, false
		case s.kind == remainder:
			parameters[s.text] = strings.Join(path[i:], "/")
			return parameters, true
		case s.kind == parameter:
			parameters[s.text] = path[i]
		case s.text != path[i]:
			return nil, false
		}
	}
	return parameters, len(path) == len(r.segments)
}
