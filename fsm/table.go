package fsm

import "fmt"

// Table is a set of records of one type under one name. T is a struct with
// integer CBOR keys (`cbor:"1,keyasint"`), so that fields can be added. What Get
// and Scan answer is shared between callers and must not be changed: copy it,
// change the copy, Put that.
type Table[T any] struct{ Name string }

// Key is the key of a record of the table.
func (t Table[T]) Key(id ...string) Key { return NewKey(t.Name, id...) }

// Get reads a record through the transaction, nil where it is absent.
func (t Table[T]) Get(tx *Txn, id ...string) (*T, error) {
	rec, err := tx.Get(t.Key(id...))
	if err != nil || rec == nil {
		return nil, err
	}
	return t.decode(rec)
}

// Peek reads a record without guarding anything by it.
func (t Table[T]) Peek(v View, id ...string) (*T, Rev, error) {
	rec, err := v.Get(t.Key(id...))
	if err != nil || rec == nil {
		return nil, 0, err
	}
	value, err := t.decode(rec)
	return value, rec.Rev, err
}

// Put writes a record.
func (t Table[T]) Put(tx *Txn, value *T, id ...string) error {
	b, err := Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding a record of %s: %w", t.Name, err)
	}
	tx.Put(t.Key(id...), b)
	return nil
}

// Delete removes a record.
func (t Table[T]) Delete(tx *Txn, id ...string) { tx.Delete(t.Key(id...)) }

// Touch gives a record a new revision and leaves its value: what a change to its
// children does, so that one read of the parent guards them all.
func (t Table[T]) Touch(tx *Txn, id ...string) error {
	key := t.Key(id...)
	rec, err := tx.Get(key)
	if err != nil || rec == nil {
		return err
	}
	tx.Put(key, rec.Value)
	return nil
}

// Scan calls fn with the records whose identifiers begin with the segments of
// prefix and sort after the identifier after (nil: from the first), in order,
// until fn answers false. id holds the whole identifier.
func (t Table[T]) Scan(v View, prefix, after []string, fn func(id []string, value *T) (more bool, err error)) error {
	var from Key
	if after != nil {
		from = t.Key(after...)
	}
	return v.Scan(t.Key(prefix...), from, func(key Key, rec *Record) (bool, error) {
		value, err := t.decode(rec)
		if err != nil {
			return false, err
		}
		return fn(key.Segments()[1:], value)
	})
}

// decode decodes a record once; later calls find the decoded value with it.
func (t Table[T]) decode(rec *Record) (*T, error) {
	if v, ok := rec.decoded.Load().(*T); ok {
		return v, nil
	}
	v := new(T)
	if err := Unmarshal(rec.Value, v); err != nil {
		return nil, fmt.Errorf("decoding a record of %s: %w", t.Name, err)
	}
	rec.decoded.CompareAndSwap(nil, v)
	return v, nil
}
