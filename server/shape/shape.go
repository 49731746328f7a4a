// Package shape owns the way of a request body into a Go struct: it decodes the
// JSON 1.1 protocol's objects and holds them against the constraints of the API
// model, in AWS's wording. "Shape" is the model's own word for a type.
//
// A service declares each request once, as a [Struct] of typed members. Decoding
// runs over that declaration without reflection and without regular expressions,
// since every request pays for it. The package knows no operation, reads nothing
// but the body, and never repeats the bytes of a blob in a message.
package shape

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// Struct is the shape of a structure that decodes into a T. It is immutable and
// safe for concurrent use.
type Struct[T any] struct{ members []Member[T] }

// Of makes a shape of members, in the order in which violations are reported. It
// panics where a structure has more than 64 members: no request of AWS's has.
func Of[T any](members ...Member[T]) *Struct[T] {
	if len(members) > 64 {
		panic("shape: a structure of more than 64 members")
	}
	return &Struct[T]{members: members}
}

// Member is one member of a structure.
type Member[T any] struct {
	name     string // in the request: "KeyId"
	label    string // in messages: "keyId"
	required bool
	model    Description
	// decode reads the value, which is not null, into req.
	decode func(s *scanner, req *T) ([]violation, error)
	// check answers what is wrong with the decoded value: nothing, mostly.
	check func(req *T) []violation
	// clear undoes decode.
	clear func(req *T)
}

// Required makes a member one that must be there and not null.
func (m Member[T]) Required() Member[T] {
	m.required = true
	return m
}

// Decode parses a body into req and validates it. The error is a *call.Error:
// SerializationException for what is no JSON or of the wrong types,
// ValidationException with all violations at once.
//
// Unknown members are ignored, names are case-sensitive, null is the same as
// absent, and of two members with one name the last counts.
func (s *Struct[T]) Decode(body []byte, req *T) error {
	in := scanner{data: body}
	found, err := s.decode(&in, req)
	if err == nil {
		err = in.end()
	}
	if err != nil {
		return serializationError(err)
	}
	if len(found) > 0 {
		return validationError(found)
	}
	return nil
}

// decode reads one object and answers what is wrong with it.
func (s *Struct[T]) decode(in *scanner, req *T) ([]violation, error) {
	if err := in.expect('{'); err != nil {
		return nil, err
	}
	var present uint64
	var nested map[int][]violation // by member; made only where one is wrong
	for first := true; ; first = false {
		name, more, err := in.name(first)
		if err != nil {
			return nil, err
		}
		if !more {
			return s.check(req, present, nested), nil
		}
		i := s.find(name)
		if i < 0 {
			if err := in.skip(); err != nil {
				return nil, err
			}
			continue
		}
		m := &s.members[i]
		present &^= 1 << i
		delete(nested, i)
		m.clear(req)
		if null, err := in.null(); null || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		wrong, err := m.decode(in, req)
		if err != nil {
			return nil, err
		}
		present |= 1 << i
		if len(wrong) > 0 {
			if nested == nil {
				nested = map[int][]violation{}
			}
			nested[i] = wrong
		}
	}
}

func (s *Struct[T]) find(name []byte) int {
	for i := range s.members {
		if s.members[i].name == string(name) {
			return i
		}
	}
	return -1
}

func (s *Struct[T]) check(req *T, present uint64, nested map[int][]violation) (found []violation) {
	for i := range s.members {
		m := &s.members[i]
		switch {
		case present&(1<<i) == 0:
			if m.required {
				found = append(found, violation{value: "null", path: m.label, constraint: notNull})
			}
		default:
			for _, v := range m.check(req) {
				v.path = m.label + v.path
				found = append(found, v)
			}
			for _, v := range nested[i] {
				v.path = m.label + v.path
				found = append(found, v)
			}
		}
	}
	return found
}

// Describe answers the shape in the words of the API model, so that a test can
// hold it against the published one.
func (s *Struct[T]) Describe() Description {
	d := Description{Type: "structure", Members: map[string]Description{}}
	for i := range s.members {
		m := &s.members[i]
		d.Members[m.name] = m.model
		if m.required {
			d.Required = append(d.Required, m.name)
		}
	}
	slices.Sort(d.Required)
	return d
}

// Description is a shape as the API model has it (smithy and botocore call its
// parts so). Bounds that are absent are 0.
type Description struct {
	Type     string                 `json:"type"`
	Min      int                    `json:"min,omitempty"`
	Max      int                    `json:"max,omitempty"`
	Pattern  string                 `json:"pattern,omitempty"`
	Enum     []string               `json:"enum,omitempty"`
	Required []string               `json:"required,omitempty"`
	Members  map[string]Description `json:"members,omitempty"`
	Member   *Description           `json:"member,omitempty"` // of a list
	Key      *Description           `json:"key,omitempty"`    // of a map
	Value    *Description           `json:"value,omitempty"`  // of a map
}

// label is a member's name as messages write it: "keyId" for "KeyId".
func label(name string) string {
	return strings.ToLower(name[:1]) + name[1:]
}

func serializationError(err error) error {
	e := &call.Error{Code: "SerializationException", Status: 400}
	if wrong, ok := err.(typeError); ok {
		e.Message = string(wrong)
	}
	return e
}
