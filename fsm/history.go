package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// historySize is how many entries HashAt remembers.
const historySize = 4096

// history remembers the Status after each of the last entries.
type history struct {
	mu   sync.Mutex
	ring [historySize]Status // by index modulo its length
}

func (h *history) add(passed []Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range passed {
		h.ring[s.Applied%historySize] = s
	}
}

func (h *history) at(index uint64) (Status, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.ring[index%historySize]
	return s, index != 0 && s.Applied == index
}

// effects collects everything that one entry changes, for the running hash. An
// entry without effect (malformed, stale, repeated, Raft's own) leaves the hash
// as it is. All that varies in length has its length in front, so that no two
// different effects look alike.
//
//	state hash(32) index(8) len(1) node incarnation(8) sequence(8) settled(8)
//	for each transaction:
//	  outcome(1), and where it is committed
//	  count(4) of writes, each len(4) key, 0 (deleted) or 1 len(4) value
//	  0 (no event) or 1 leaf hash(32)
type effects struct{ buf []byte }

func (e *effects) begin(previous tlog.Hash, index uint64, b *batch) {
	e.buf = append(e.buf[:0], previous[:]...)
	e.buf = binary.BigEndian.AppendUint64(e.buf, index)
	e.buf = append(append(e.buf, byte(len(b.node))), b.node...)
	for _, n := range []uint64{b.incarnation, b.sequence, b.settled} {
		e.buf = binary.BigEndian.AppendUint64(e.buf, n)
	}
}

func (e *effects) conflict() { e.buf = append(e.buf, byte(Conflict)) }

func (e *effects) commit(writes []write, leaf *tlog.Hash) {
	e.buf = append(e.buf, byte(Committed))
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(len(writes)))
	for _, w := range writes {
		e.bytes(w.key)
		if w.value == nil {
			e.buf = append(e.buf, 0)
			continue
		}
		e.buf = append(e.buf, 1)
		e.bytes(w.value)
	}
	if leaf == nil {
		e.buf = append(e.buf, 0)
		return
	}
	e.buf = append(append(e.buf, 1), leaf[:]...)
}

func (e *effects) bytes(b []byte) {
	e.buf = append(binary.BigEndian.AppendUint32(e.buf, uint32(len(b))), b...)
}

func (e *effects) sum() tlog.Hash { return sha256.Sum256(e.buf) }
