package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cofre-kms/cofre/ledger"
)

// omitted stands for a member that was too large to record. An auditor who has
// the value can check it against SHA256: of the string's bytes where it was a
// string, of its JSON text otherwise.
type omitted struct {
	Omitted      bool   `json:"omitted"`
	Reason       string `json:"reasonForOmission"`
	OriginalSize int    `json:"originalSize"` // bytes
	SHA256       string `json:"sha256"`       // hex
}

const reasonTooLarge = "Record exceeds the maximum size"

// member is one member of an object, in its place.
type member struct {
	name  string
	value json.RawMessage
	gone  bool // replaced already
}

// fit encodes an event that is too large, replacing the largest members of its
// variable parts until it fits.
func (e *event) fit(v variable) ([]byte, error) {
	parts := []*[]byte{&v.parameters, &v.response, &v.additional, &v.details}
	objects := make([][]member, len(parts))
	for i, part := range parts {
		members, err := split(*part)
		if err != nil {
			return nil, fmt.Errorf("shortening the record of %s: %w", e.name, err)
		}
		objects[i] = members
	}
	for {
		i, largest := largest(objects)
		if largest == nil {
			return nil, fmt.Errorf("the record of %s does not fit in %d bytes", e.name, ledger.MaxEvent)
		}
		largest.omit()
		*parts[i] = join(objects[i])
		if b := e.append(nil, v); len(b) <= ledger.MaxEvent {
			return b, nil
		}
	}
}

// largest answers the largest member that is not replaced yet, and its object.
func largest(objects [][]member) (object int, found *member) {
	for i := range objects {
		for j := range objects[i] {
			if m := &objects[i][j]; !m.gone && (found == nil || len(m.value) > len(found.value)) {
				object, found = i, m
			}
		}
	}
	return object, found
}

func (m *member) omit() {
	original := []byte(m.value)
	if s := ""; json.Unmarshal(m.value, &s) == nil {
		original = []byte(s)
	}
	sum := sha256.Sum256(original)
	m.value, _ = json.Marshal(omitted{
		Omitted: true, Reason: reasonTooLarge, OriginalSize: len(original), SHA256: hex.EncodeToString(sum[:]),
	}) // strings and numbers: it cannot fail
	m.gone = true
}

// split takes an object apart. Operations declare their parameters as structs,
// so the encoding is an object; nil has no members.
func split(object []byte) ([]member, error) {
	if object == nil {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var members []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{}
		if m.name, _ = name.(string); m.name == "" {
			return nil, fmt.Errorf("%v is no name of a member", name)
		}
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func join(members []member) []byte {
	b := []byte{'{'}
	for i := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, members[i].name)
		b = append(b, ':')
		b = append(b, members[i].value...)
	}
	return append(b, '}')
}
