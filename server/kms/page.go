package kms

import (
	"encoding/base64"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// page is the part of a list that a call asks for. Lists are in the order of
// what they are keyed by, so a marker is the last name of the page before: it
// stays good whatever is added or deleted in between.
type page struct {
	list  string // which list; a marker of another one is not valid here
	limit int
	after string // the page begins after this name; "" is the beginning
}

// newPage reads Limit and Marker. Limits above most are lowered to it, as AWS's
// "might return fewer" allows. valid says whether a marker's name can be one of
// the list.
func newPage(list string, limit, usual, most int, marker string, valid func(string) bool) (page, error) {
	p := page{list: list, limit: min(limit, most)}
	if limit == 0 {
		p.limit = usual
	}
	if marker == "" {
		return p, nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(marker)
	if err == nil {
		if name, ok := strings.CutPrefix(string(text), list+" "); ok && valid(name) {
			p.after = name
			return p, nil
		}
	}
	return p, call.Errorf("InvalidMarkerException", "Could not deserialize marker '%s'", marker)
}

// marker is the NextMarker of a page that ends with name.
func (p page) marker(name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.list + " " + name))
}

// start is the identifier after which the page begins in a table whose
// identifiers are prefix and a name; nil is the beginning.
func (p page) start(prefix ...string) []string {
	if p.after == "" {
		return nil
	}
	return append(prefix, p.after)
}

// truncation is how the responses of lists say that there is more.
type truncation struct {
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// full says whether the page has n of n entries, the last of which is called
// last, and if so that there is more.
func (t *truncation) full(p page, n int, last string) bool {
	if n < p.limit {
		return false
	}
	t.Truncated, t.NextMarker = true, p.marker(last)
	return true
}
