package fsm_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
)

// oracle is the state machine in the fewest words: maps, copied for every entry,
// and what every entry has to answer.
type oracle struct {
	entries []fsm.Entry  // entry i has index i+1; a nil command is Raft's own entry
	results []fsm.Result // of entry i
	moments []moment     // after i entries
	nodes   map[string]*oracleNode
}

type moment struct {
	records map[fsm.Key]fsm.Record
	events  []string
	effects int // entries that changed something
}

type oracleNode struct {
	incarnation, settled uint64
	results              map[uint64]fsm.Result
}

func newOracle() *oracle {
	return &oracle{moments: []moment{{records: map[fsm.Key]fsm.Record{}}}, nodes: map[string]*oracleNode{}}
}

// plan is a batch as the oracle understands it; nil where the command is none.
type plan struct {
	batch *fsm.Batch
	txns  []planTxn
}

type planTxn struct {
	reads  []fsm.Read
	writes []fsm.Write
	event  string
}

func (p *plan) add(reads []fsm.Read, writes []fsm.Write, event string) {
	p.txns = append(p.txns, planTxn{reads, writes, event})
	view := frozen{}
	for _, r := range reads {
		view[r.Key] = r.Rev
	}
	tx := fsm.NewTxn(view)
	for _, r := range reads {
		tx.Get(r.Key)
	}
	for _, w := range writes {
		if w.Value == nil {
			tx.Delete(w.Key)
		} else {
			tx.Put(w.Key, w.Value)
		}
	}
	tx.SetEvent([]byte(event))
	p.batch.Txns = append(p.batch.Txns, tx)
}

// frozen is a view in which keys stand at given revisions.
type frozen map[fsm.Key]fsm.Rev

func (v frozen) Get(key fsm.Key) (*fsm.Record, error) {
	if v[key] == 0 {
		return nil, nil
	}
	return &fsm.Record{Rev: v[key]}, nil
}

func (v frozen) Scan(fsm.Key, fsm.Key, func(fsm.Key, *fsm.Record) (bool, error)) error {
	return errors.New("not a view to scan")
}

func (v frozen) Applied() uint64 { return 0 }

// append appends an entry to the log and decides what it does.
func (o *oracle) append(command []byte, p *plan) {
	index := uint64(len(o.entries) + 1)
	o.entries = append(o.entries, fsm.Entry{Index: index, Command: command})
	last := o.moments[len(o.moments)-1]
	now := moment{records: maps.Clone(last.records), events: slices.Clone(last.events), effects: last.effects}
	o.results = append(o.results, o.decide(index, p, &now))
	o.moments = append(o.moments, now)
}

func (o *oracle) decide(index uint64, p *plan, now *moment) fsm.Result {
	if p == nil {
		return fsm.Result{Index: index, Err: fsm.ErrMalformed}
	}
	b := p.batch
	res := fsm.Result{Index: index, Node: b.Node, Incarnation: b.Incarnation, Sequence: b.Sequence}
	n := o.nodes[b.Node]
	if n == nil || b.Incarnation > n.incarnation {
		n = &oracleNode{incarnation: b.Incarnation, results: map[uint64]fsm.Result{}}
		o.nodes[b.Node] = n
	}
	if b.Incarnation < n.incarnation || b.Sequence <= n.settled {
		res.Err = fsm.ErrStale
		return res
	}
	if first, ok := n.results[b.Sequence]; ok {
		return first
	}
	for _, t := range p.txns {
		res.Outcomes = append(res.Outcomes, now.commit(fsm.Rev(index), t))
	}
	n.results[b.Sequence] = res
	n.settled = max(n.settled, b.Settled)
	now.effects++
	return res
}

func (m *moment) commit(rev fsm.Rev, t planTxn) fsm.Outcome {
	for _, r := range t.reads {
		rec := m.records[r.Key]
		if rec.Rev != r.Rev {
			return fsm.Conflict
		}
	}
	for _, w := range t.writes {
		if w.Value == nil {
			delete(m.records, w.Key)
		} else {
			m.records[w.Key] = fsm.Record{Rev: rev, Value: w.Value}
		}
	}
	if t.event != "" {
		m.events = append(m.events, t.event)
	}
	return fsm.Committed
}

// check compares a store with the state after as many entries as it has applied.
func (m moment) check(s *fsm.Store) error {
	status := s.Status()
	if status.LedgerSize != int64(len(m.events)) {
		return fmt.Errorf("ledger has %d records, want %d", status.LedgerSize, len(m.events))
	}
	if err := m.checkRecords(s); err != nil {
		return err
	}
	return m.checkLedger(s, status)
}

func (m moment) checkRecords(s *fsm.Store) error {
	seen := 0
	err := s.Scan("t", "", func(key fsm.Key, rec *fsm.Record) (bool, error) {
		seen++
		want, ok := m.records[key]
		if !ok || want.Rev != rec.Rev || string(want.Value) != string(rec.Value) {
			return false, fmt.Errorf("record %q is %d %q, want %d %q", key, rec.Rev, rec.Value, want.Rev, want.Value)
		}
		got, err := s.Get(key)
		if err != nil || got == nil || got.Rev != rec.Rev || string(got.Value) != string(rec.Value) {
			return false, fmt.Errorf("record %q: scan and get differ: %w", key, err)
		}
		return true, nil
	})
	if err == nil && seen != len(m.records) {
		err = fmt.Errorf("%d records, want %d", seen, len(m.records))
	}
	return err
}

func (m moment) checkLedger(s *fsm.Store, status fsm.Status) error {
	next := int64(0)
	err := s.Events(0, func(position int64, event []byte) (bool, error) {
		if position != next || string(event) != m.events[position] {
			return false, fmt.Errorf("record %d (expected %d) is %q", position, next, event)
		}
		next++
		return true, nil
	})
	if err == nil && next != status.LedgerSize {
		err = fmt.Errorf("%d records listed of %d", next, status.LedgerSize)
	}
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(status.LedgerSize, s)
	if err == nil && (root != status.LedgerRoot || root != naiveRoot(m.events)) {
		err = errors.New("ledger root differs from the records'")
	}
	return err
}

// naiveRoot is RFC 6962 §2.1 word for word.
func naiveRoot(events []string) tlog.Hash {
	switch len(events) {
	case 0:
		h, _ := tlog.TreeHash(0, nil)
		return h
	case 1:
		return tlog.RecordHash([]byte(events[0]))
	}
	k := 1
	for k*2 < len(events) {
		k *= 2
	}
	return tlog.NodeHash(naiveRoot(events[:k]), naiveRoot(events[k:]))
}
