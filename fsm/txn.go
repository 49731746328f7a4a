package fsm

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cofre-kms/cofre/ledger"
)

// ErrTooLarge is returned when a record, event or transaction is over its limit.
var ErrTooLarge = errors.New("fsm: too large")

// Record is the value of a key at one revision. It is immutable and shared:
// nobody may change Value.
type Record struct {
	Rev   Rev
	Value []byte

	decoded atomic.Value // the value decoded by a Table, once anybody has
}

// View reads the applied state of one replica. It is safe for concurrent use.
// What it answers may be behind what the cluster has committed: a [Txn] that was
// built on it finds out when it is committed.
type View interface {
	// Get answers the record of a key, nil where it is absent.
	Get(key Key) (*Record, error)
	// Scan calls fn for the records under prefix (a table's name and leading
	// segments of identifiers) whose keys sort after the key after, in order of
	// keys, until fn answers false. It reads one consistent state.
	Scan(prefix, after Key, fn func(Key, *Record) (more bool, err error)) error
	// Applied is the Raft index of the last entry in the state.
	Applied() uint64
}

// Txn is a transaction in the making: it remembers what was read and at which
// revision, buffers what is written, and carries the audit event. Reads see the
// transaction's own writes. When it is applied, either every record read is
// still at its revision and all writes and the event take effect at that one
// instant, or nothing happens. It belongs to one goroutine.
type Txn struct {
	view   View
	reads  []Read
	writes []Write
	event  []byte
}

// Read is a guard: the transaction commits only if the key is at this revision.
type Read struct {
	Key Key
	Rev Rev
}

// Write sets a record, or deletes it where Value is nil.
type Write struct {
	Key   Key
	Value []byte
}

// NewTxn begins a transaction on a view.
func NewTxn(view View) *Txn { return &Txn{view: view} }

// Get reads a record, nil where it is absent, and guards the transaction by it.
func (t *Txn) Get(key Key) (*Record, error) {
	if w := t.written(key); w != nil {
		if w.Value == nil {
			return nil, nil
		}
		return &Record{Value: w.Value}, nil
	}
	rec, err := t.view.Get(key)
	if err != nil {
		return nil, err
	}
	var rev Rev
	if rec != nil {
		rev = rec.Rev
	}
	t.guard(key, rev)
	return rec, nil
}

// guard remembers the first revision at which the key was read: if a later read
// saw another one, the state moved and the commit will conflict.
func (t *Txn) guard(key Key, rev Rev) {
	for i := range t.reads {
		if t.reads[i].Key == key {
			return
		}
	}
	t.reads = append(t.reads, Read{Key: key, Rev: rev})
}

// Holds says whether every record that was read is still at its revision in a
// view: whether what was decided by them is true of the state that the view shows.
func (t *Txn) Holds(view View) (bool, error) {
	for _, r := range t.reads {
		rec, err := view.Get(r.Key)
		if err != nil {
			return false, err
		}
		var rev Rev
		if rec != nil {
			rev = rec.Rev
		}
		if rev != r.Rev {
			return false, nil
		}
	}
	return true, nil
}

// Put writes a record. A record that was not read is written whatever it holds.
func (t *Txn) Put(key Key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	t.write(key, value)
}

// Delete removes a record.
func (t *Txn) Delete(key Key) { t.write(key, nil) }

func (t *Txn) write(key Key, value []byte) {
	if w := t.written(key); w != nil {
		w.Value = value
		return
	}
	t.writes = append(t.writes, Write{Key: key, Value: value})
}

func (t *Txn) written(key Key) *Write {
	for i := range t.writes {
		if t.writes[i].Key == key {
			return &t.writes[i]
		}
	}
	return nil
}

// Rollback forgets the writes and keeps the reads: what an operation that was
// refused does before its event is set, so that the refusal, too, is true at the
// instant of its record.
func (t *Txn) Rollback() { t.writes = nil }

// SetEvent sets the ledger record, exactly the bytes that are hashed. A
// transaction without one appends nothing to the ledger.
func (t *Txn) SetEvent(event []byte) { t.event = event }

// View is the view that the transaction reads from, for reads that must not
// guard it.
func (t *Txn) View() View { return t.view }

// Size is an upper bound of the bytes that the transaction adds to a batch
// before compression. It answers ErrTooLarge where the transaction or a part of
// it is over its limit: no batch can carry it.
func (t *Txn) Size() (int, error) {
	size := itemOverhead*3 + len(t.event)
	if len(t.event) > ledger.MaxEvent {
		return 0, fmt.Errorf("event of %d bytes: %w", len(t.event), ErrTooLarge)
	}
	for _, r := range t.reads {
		if len(r.Key) == 0 || len(r.Key) > MaxKey {
			return 0, fmt.Errorf("key of %d bytes: %w", len(r.Key), ErrTooLarge)
		}
		size += itemOverhead*2 + len(r.Key)
	}
	for _, w := range t.writes {
		if len(w.Key) == 0 || len(w.Key) > MaxKey || len(w.Value) > MaxRecord {
			return 0, fmt.Errorf("record of %d bytes under a key of %d: %w", len(w.Value), len(w.Key), ErrTooLarge)
		}
		size += itemOverhead*2 + len(w.Key) + len(w.Value)
	}
	if size > MaxTxn {
		return 0, fmt.Errorf("transaction of %d bytes: %w", size, ErrTooLarge)
	}
	return size, nil
}
