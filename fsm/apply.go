package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// scratch is memory that Apply uses again.
type scratch struct {
	decoder *decoder
	effects effects
	bundler bundler
	written map[Key]*Record
	passed  []Status
	tile    []byte
}

func (s *scratch) init() {
	s.decoder = newDecoder()
	s.written = make(map[Key]*Record)
}

// apply applies entries in order. What one of them wrote the next one reads, so
// the writes of a Pebble batch in the making stand in front of the database.
func (s *state) apply(entries []Entry) ([]Result, error) {
	if err := s.failure.get(); err != nil {
		return nil, err
	}
	results, err := s.applyAll(entries)
	if err != nil {
		s.failure.set(err) // the tree and the sessions are ahead of the database
		return nil, err
	}
	return results, nil
}

func (s *state) applyAll(entries []Entry) ([]Result, error) {
	results := make([]Result, len(entries))
	a := s.begin()
	for i, e := range entries {
		if e.Index <= a.status.Applied {
			results[i] = Result{Index: e.Index, Err: ErrStale}
			continue
		}
		var err error
		if results[i], err = a.entry(e); err != nil {
			return nil, fmt.Errorf("applying entry %d: %w", e.Index, err)
		}
		if a.batch.Len()+len(a.bundler.plain) < commitBytes {
			continue
		}
		if err := a.commit(); err != nil {
			return nil, err
		}
		a = s.begin()
	}
	return results, a.commit()
}

// skip advances the applied index.
func (s *state) skip(index uint64) error {
	if err := s.failure.get(); err != nil {
		return err
	}
	a := s.begin()
	if index <= a.status.Applied {
		return a.batch.Close()
	}
	a.pass(index)
	return a.commit()
}

// applier is a Pebble batch in the making, and the status as of its end.
type applier struct {
	*state
	*scratch
	batch  *pebble.Batch
	status Status
}

func (s *state) begin() *applier {
	clear(s.scratch.written)
	s.scratch.passed = s.scratch.passed[:0]
	return &applier{state: s, scratch: &s.scratch, batch: s.db.NewBatch(), status: s.tip.Load().status}
}

// commit writes the batch and its meta record to the database while the cache
// stands aside, then brings the cache up to it, then shows the new state: who
// sees Applied finds at least that state. Nothing is synced; a crash loses the
// batch whole.
func (a *applier) commit() error {
	if len(a.passed) == 0 {
		return a.batch.Close()
	}
	if err := a.bundler.flush(a.batch); err != nil {
		return err
	}
	if err := a.tree.Drain(a.putTile); err != nil {
		return err
	}
	if err := a.batch.Set(metaKey, a.status.appendMeta(nil), nil); err != nil {
		return err
	}
	for key := range a.written {
		a.cache.hold(key)
	}
	// Where the commit fails the records stay held: nothing more is applied.
	if err := a.failure.run(func() error { return a.batch.Commit(pebble.NoSync) }); err != nil {
		return fmt.Errorf("committing to the database: %w", err)
	}
	for key, rec := range a.written {
		a.cache.update(key, rec)
	}
	a.publish(a.status, a.passed)
	return a.batch.Close()
}

// pass notes that an entry has been applied.
func (a *applier) pass(index uint64) {
	a.status.Applied = index
	a.passed = append(a.passed, a.status)
}

// entry applies one entry.
func (a *applier) entry(e Entry) (Result, error) {
	defer a.pass(e.Index)
	b, err := a.decoder.decode(e.Command)
	if errors.Is(err, ErrUnknownCommand) {
		return Result{}, err
	}
	if err != nil {
		return Result{Index: e.Index, Err: err}, nil
	}
	res := Result{Index: e.Index, Node: b.node, Incarnation: b.incarnation, Sequence: b.sequence}
	first, known, err := a.sessions.repeat(b)
	if err != nil {
		res.Err = err
		return res, nil
	}
	if known {
		res.Index, res.Outcomes = first.index, first.outcomes
		return res, nil
	}
	a.effects.begin(a.status.StateHash, e.Index, b)
	res.Outcomes = make([]Outcome, len(b.txns))
	for i := range b.txns {
		if res.Outcomes[i], err = a.txn(Rev(e.Index), &b.txns[i]); err != nil {
			return Result{}, err
		}
	}
	a.status.StateHash = a.effects.sum()
	a.status.LedgerSize, a.status.LedgerRoot = a.tree.Size(), a.tree.Root()
	return res, a.sessions.record(b, outcome{index: e.Index, outcomes: res.Outcomes}, a.batch)
}

// txn decides one transaction and does what it says.
func (a *applier) txn(rev Rev, t *txn) (Outcome, error) {
	for i, r := range t.reads {
		if plantedReads || plantedPrefix && i < len(t.reads)-1 {
			continue
		}
		current, err := a.revision(Key(r.key))
		if err != nil {
			return 0, err
		}
		if current != r.rev {
			a.effects.conflict()
			return Conflict, nil
		}
	}
	for _, w := range t.writes {
		if err := a.write(rev, w); err != nil {
			return 0, err
		}
	}
	var leaf *tlog.Hash
	if t.event != nil {
		h, err := a.append(t.event)
		if err != nil {
			return 0, err
		}
		leaf = &h
	}
	a.effects.commit(t.writes, leaf)
	return Committed, nil
}

// revision is the revision that a record is at, 0 where it is absent.
func (a *applier) revision(key Key) (Rev, error) {
	rec, ok := a.written[key]
	if !ok {
		var err error
		if rec, err = a.record(key); err != nil {
			return 0, err
		}
	}
	if rec == nil {
		return 0, nil
	}
	return rec.Rev, nil
}

func (a *applier) write(rev Rev, w write) error {
	key := Key(w.key)
	if w.value == nil {
		a.written[key] = nil
		op := a.batch.DeleteDeferred(1 + len(key))
		appendRecordKey(op.Key[:0], key)
		return op.Finish()
	}
	a.written[key] = &Record{Rev: rev, Value: append([]byte{}, w.value...)}
	op := a.batch.SetDeferred(1+len(key), recordHeader+len(w.value))
	appendRecordKey(op.Key[:0], key)
	binary.BigEndian.PutUint64(op.Value, uint64(rev))
	copy(op.Value[recordHeader:], w.value)
	return op.Finish()
}

// append appends a record to the ledger.
func (a *applier) append(event []byte) (tlog.Hash, error) {
	position, leaf := a.tree.Size(), tlog.RecordHash(event)
	a.tree.Append(leaf)
	return leaf, a.bundler.add(position, event, a.batch)
}

func (a *applier) putTile(t ledger.Tile) error {
	a.tile = appendHashes(a.tile[:0], t.Hashes)
	return a.batch.Set(appendTileKey(nil, t.Level, t.N), a.tile, nil)
}
