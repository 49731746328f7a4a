package fsm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// lookup answers a copy of a value, nil where there is none.
func lookup(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

// record reads a record through the cache.
func (s *state) record(key Key) (*Record, error) {
	rec, hit, epoch := s.cache.get(key)
	if hit {
		return rec, nil
	}
	stored, closer, err := s.db.Get(appendRecordKey(nil, key))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("reading a record: %w", err)
	default:
		rec, err = newRecord(stored)
		if err := errors.Join(err, closer.Close()); err != nil {
			return nil, fmt.Errorf("reading a record: %w", err)
		}
	}
	return s.cache.offer(key, rec, epoch), nil
}

// scan calls fn for the records under prefix after a key.
func (s *state) scan(prefix, after Key, fn func(Key, *Record) (bool, error)) error {
	lower := appendRecordKey(nil, prefix)
	upper := append(bytes.Clone(lower), 1) // segments are joined by 0: nothing under prefix is beyond
	if from := append(appendRecordKey(nil, after), 0); after != "" && bytes.Compare(from, lower) > 0 {
		lower = from
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil
	}
	return iterate(s.db, lower, upper, func(stored, value []byte) (bool, error) {
		key := Key(stored[1:])
		rec, err := s.scanned(key, value)
		if err != nil {
			return false, err
		}
		return fn(key, rec)
	})
}

// scanned answers the cached record, and its decoded value with it, where it is
// of the same revision. A scan does not fill the cache.
func (s *state) scanned(key Key, stored []byte) (*Record, error) {
	rec, err := newRecord(stored)
	if err != nil {
		return nil, err
	}
	if cached, hit := s.cache.peek(key); hit && cached != nil && cached.Rev == rec.Rev {
		return cached, nil
	}
	return rec, nil
}

// each calls fn with every key under a tag.
func each(db *pebble.DB, tag byte, fn func(key, value []byte) error) error {
	return iterate(db, []byte{tag}, []byte{tag + 1}, func(key, value []byte) (bool, error) {
		return true, fn(key, value)
	})
}

// iterate calls fn with the keys lower ≤ key < upper of one state of the
// database, in order, until fn answers false. The slices are fn's until it returns.
func iterate(db *pebble.DB, lower, upper []byte, fn func(key, value []byte) (more bool, err error)) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer closeInto(&err, it)
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := fn(it.Key(), value); err != nil || !more {
			return err
		}
	}
	return it.Error()
}
