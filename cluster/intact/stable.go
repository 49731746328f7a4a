package intact

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// Stable is a raft.StableStore that keeps all that Raft stores there, term and
// vote, as one value of the store below it, under one checksum: what belongs
// together is not torn apart, and nothing is missing without being missed. It is
// safe for concurrent use.
type Stable struct {
	store raft.StableStore
	mark  *Mark
	file  string

	mu   sync.Mutex // guards kept, and the order of writes
	kept kept
}

// kept is the value, as JSON.
type kept struct {
	Writes uint64            `json:"writes"` // how often it was written
	Values map[string][]byte `json:"values"`
}

var stableKey = []byte("cofre")

// errNotFound is what hashicorp/raft looks for, by its text.
var errNotFound = errors.New("not found")

// OpenStable reads what a store of a file keeps. The mark is shared with the log.
func OpenStable(store raft.StableStore, mark *Mark, file string) (*Stable, error) {
	s := &Stable{store: store, mark: mark, file: file, kept: kept{Values: make(map[string][]byte)}}
	var sealed []byte
	err := mapped(file, func() (err error) { sealed, err = store.Get(stableKey); return err })
	switch {
	case err != nil && err.Error() == errNotFound.Error():
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", file, err)
	default:
		content, err := Unseal(file, sealed)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &s.kept); err != nil {
			return nil, changed(file, "%v", err)
		}
	}
	if s.kept.Writes < mark.writes {
		return nil, changed(file, "term and vote were written %d times, and %d times are left (%s)",
			mark.writes, s.kept.Writes, mark.path)
	}
	return s, nil
}

// Get implements raft.StableStore.
func (s *Stable) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, there := s.kept.Values[string(key)]
	if !there {
		return nil, errNotFound
	}
	return value, nil
}

// Set implements raft.StableStore.
func (s *Stable) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Writes++
	s.kept.Values[string(key)] = append([]byte{}, value...)
	content, err := json.Marshal(s.kept)
	if err != nil {
		return fmt.Errorf("encoding term and vote: %w", err)
	}
	if err := mapped(s.file, func() error { return s.store.Set(stableKey, Seal(content)) }); err != nil {
		return err
	}
	// The value is durable; a crash here leaves it, and a mark that says less.
	return s.mark.wrote(s.kept.Writes)
}

// GetUint64 implements raft.StableStore.
func (s *Stable) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, changed(s.file, "%q is no number", key)
	}
	return binary.BigEndian.Uint64(value), nil
}

// SetUint64 implements raft.StableStore.
func (s *Stable) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}
