package iam

import (
	"encoding/base64"

	"github.com/cofre-kms/cofre/server/shape"
)

// page is the part of a list that a call asks for, in the order of what the list
// is keyed by; the marker is the last key of the page before.
type page struct {
	Marker   string
	MaxItems int
}

// usualItems is how many entries a page has unless the caller says otherwise.
const usualItems = 100

func pageShape[T any](of func(*T) *page) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Text("Marker", markerType(), func(q *T) *string { return &of(q).Marker }),
		shape.Number("MaxItems", maxItemsType(), func(q *T) *int { return &of(q).MaxItems }),
	}
}

// last is the key of the last entry of the page before, "" at the beginning.
func (p page) last() (string, error) {
	if p.Marker == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Marker)
	if err != nil || len(text) == 0 {
		return "", invalid("Invalid Marker.")
	}
	return string(text), nil
}

// after is the key that the page begins after, nil at the beginning.
func (p page) after(prefix ...string) ([]string, error) {
	last, err := p.last()
	if err != nil || last == "" {
		return nil, err
	}
	return append(prefix, last), nil
}

// limit is how many entries the page has at most.
func (p page) limit() int {
	if p.MaxItems == 0 {
		return usualItems
	}
	return p.MaxItems
}

// truncation is how answers say that there is more.
type truncation struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// full says whether the page has n of n entries, the last of which is called
// last, and if so that there is more.
func (t *truncation) full(p page, n int, last string) bool {
	if n < p.limit() {
		return false
	}
	t.IsTruncated, t.Marker = true, base64.RawURLEncoding.EncodeToString([]byte(last))
	return true
}
