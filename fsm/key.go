package fsm

import "strings"

// Key names a record. It is a path: the table's name, then the segments of the
// identifier, joined by a zero byte, so that records with a common prefix of
// segments stand together in order. Segments hold no zero byte.
type Key string

// NewKey joins a table's name and the segments of an identifier.
func NewKey(table string, id ...string) Key {
	if len(id) == 0 {
		return Key(table)
	}
	return Key(table + "\x00" + strings.Join(id, "\x00"))
}

// Segments splits the key into its table's name and the identifier's segments.
func (k Key) Segments() []string { return strings.Split(string(k), "\x00") }

// Rev is a record's revision: the Raft index that last wrote it. 0 means that
// the record is absent.
type Rev uint64
