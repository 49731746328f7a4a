package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxUnsettled bounds the outcomes kept of one node. Beyond it the oldest batch
	// counts as settled: should it be proposed again, it is stale.
	maxUnsettled = 4096
	// maxSessions bounds the nodes that are remembered. Beyond it the one that has
	// been silent for longest is forgotten.
	maxSessions = 256
)

// sessions remembers the outcomes of each node's batches, so that a batch that
// is applied again has no effect and gets the same answer (Ongaro's dissertation
// §6.3). It is part of the replicated state: equal on every replica, written in
// the Pebble batch of the entry that changes it.
type sessions map[string]*session

type session struct {
	incarnation uint64
	settled     uint64 // every batch up to it is stale
	last        uint64 // Raft index of the last batch that took effect
	outcomes    map[uint64]outcome
}

// outcome is what became of a batch.
type outcome struct {
	index    uint64
	outcomes []Outcome
}

// repeat says whether a batch has to be applied. It need not be where err is
// ErrStale, and where it has an outcome already. It changes nothing.
func (s sessions) repeat(b *batch) (o outcome, known bool, err error) {
	n := s[b.node]
	switch {
	case n == nil || b.incarnation > n.incarnation:
		return outcome{}, false, nil
	case b.incarnation < n.incarnation || b.sequence <= n.settled:
		return outcome{}, false, ErrStale
	}
	o, known = n.outcomes[b.sequence]
	return o, known, nil
}

// record remembers a batch's outcome and forgets what it settles.
func (s sessions) record(b *batch, o outcome, w *pebble.Batch) error {
	n := s[b.node]
	if n == nil {
		if err := s.makeRoom(w); err != nil {
			return err
		}
		n = &session{outcomes: make(map[uint64]outcome)}
		s[b.node] = n
	}
	if b.incarnation > n.incarnation {
		if err := n.forget(b.node, ^uint64(0), w); err != nil {
			return err
		}
		n.incarnation, n.settled = b.incarnation, 0
	}
	n.outcomes[b.sequence] = o
	n.last = o.index
	if err := n.settle(b.node, max(b.settled, n.excess()), w); err != nil {
		return err
	}
	if err := w.Set(appendSessionKey(nil, tagSession, b.node), n.append(nil), nil); err != nil {
		return err
	}
	if b.sequence <= n.settled {
		return nil
	}
	return w.Set(appendOutcomeKey(nil, b.node, b.sequence), o.append(nil), nil)
}

// excess is the sequence that has to be settled so that the rest is within
// bounds, 0 where it is.
func (n *session) excess() uint64 {
	if len(n.outcomes) <= maxUnsettled {
		return 0
	}
	oldest := ^uint64(0)
	for sequence := range n.outcomes {
		oldest = min(oldest, sequence)
	}
	return oldest
}

func (n *session) settle(node string, settled uint64, w *pebble.Batch) error {
	if settled <= n.settled {
		return nil
	}
	n.settled = settled
	return n.forget(node, settled, w)
}

// forget deletes the outcomes up to a sequence.
func (n *session) forget(node string, settled uint64, w *pebble.Batch) error {
	for sequence := range n.outcomes {
		if sequence > settled {
			continue
		}
		delete(n.outcomes, sequence)
		if err := w.Delete(appendOutcomeKey(nil, node, sequence), nil); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom forgets the node that has been silent for longest where there are too
// many.
func (s sessions) makeRoom(w *pebble.Batch) error {
	if len(s) < maxSessions {
		return nil
	}
	var silent string
	for node, n := range s {
		if silent == "" || n.last < s[silent].last {
			silent = node
		}
	}
	if err := s[silent].forget(silent, ^uint64(0), w); err != nil {
		return err
	}
	delete(s, silent)
	return w.Delete(appendSessionKey(nil, tagSession, silent), nil)
}

// A session is stored as incarnation(8) settled(8) last(8), an outcome as
// index(8) and a byte for each transaction.

func (n *session) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, n.incarnation)
	b = binary.BigEndian.AppendUint64(b, n.settled)
	return binary.BigEndian.AppendUint64(b, n.last)
}

func (o outcome) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, o.index)
	for _, c := range o.outcomes {
		b = append(b, byte(c))
	}
	return b
}

// loadSessions reads all sessions.
func loadSessions(db *pebble.DB) (sessions, error) {
	s := make(sessions)
	err := each(db, tagSession, func(key, value []byte) error {
		if len(key) < 2 || len(value) != 24 {
			return fmt.Errorf("%w: session of %d bytes", errCorrupt, len(value))
		}
		s[string(key[2:])] = &session{
			incarnation: binary.BigEndian.Uint64(value),
			settled:     binary.BigEndian.Uint64(value[8:]),
			last:        binary.BigEndian.Uint64(value[16:]),
			outcomes:    make(map[uint64]outcome),
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, each(db, tagOutcome, s.loadOutcome)
}

func (s sessions) loadOutcome(key, value []byte) error {
	if len(key) < 2+8 || len(value) < 8 {
		return fmt.Errorf("%w: outcome of %d bytes", errCorrupt, len(value))
	}
	sequence := binary.BigEndian.Uint64(key[len(key)-8:])
	n := s[string(key[2:len(key)-8])]
	if n == nil {
		return fmt.Errorf("%w: outcome without a session", errCorrupt)
	}
	o := outcome{index: binary.BigEndian.Uint64(value)}
	for _, c := range value[8:] {
		o.outcomes = append(o.outcomes, Outcome(c))
	}
	n.outcomes[sequence] = o
	return nil
}
