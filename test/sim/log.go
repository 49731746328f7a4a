package sim

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"

	"github.com/hashicorp/raft"
)

// content is what a Raft log and a stable store hold.
type content struct {
	first, last uint64 // 0 where the log is empty
	logs        map[uint64]raft.Log
	values      map[string][]byte
}

func newContent() *content {
	return &content{logs: make(map[uint64]raft.Log), values: make(map[string][]byte)}
}

func (c *content) clone() *content {
	return &content{first: c.first, last: c.last, logs: maps.Clone(c.logs), values: maps.Clone(c.values)}
}

// write is one change: entries appended, a range removed, or a value set.
type write struct {
	logs     []raft.Log
	min, max uint64
	key      string
	value    []byte
}

// torn is the write as a crash may leave it: of an append, entries at the end
// may be missing. A real log store finds the end of a batch or drops it whole;
// Raft has to bear either.
func (w *write) torn(rng *rand.Rand) *write {
	if len(w.logs) == 0 {
		return w
	}
	return &write{logs: w.logs[:rng.IntN(len(w.logs)+1)]}
}

func (w *write) apply(c *content) {
	for _, log := range w.logs {
		c.logs[log.Index] = log
		if c.first == 0 {
			c.first = log.Index
		}
		c.last = max(c.last, log.Index)
	}
	if w.max > 0 {
		c.remove(w.min, w.max)
	}
	if w.key != "" {
		c.values[w.key] = w.value
	}
}

// remove removes a range that is the head or the tail of the log.
func (c *content) remove(from, to uint64) {
	for i := max(from, c.first); i <= min(to, c.last); i++ {
		delete(c.logs, i)
	}
	switch {
	case from <= c.first && to >= c.last:
		c.first, c.last = 0, 0
	case from <= c.first:
		c.first = max(c.first, to+1)
	default:
		c.last = min(c.last, from-1)
	}
}

// logStore is a raft.LogStore.
type logStore struct{ disk *Disk }

// FirstIndex implements raft.LogStore.
func (s *logStore) FirstIndex() (index uint64, err error) {
	s.disk.read(func(c *content) { index = c.first })
	return index, nil
}

// LastIndex implements raft.LogStore.
func (s *logStore) LastIndex() (index uint64, err error) {
	s.disk.read(func(c *content) { index = c.last })
	return index, nil
}

// GetLog implements raft.LogStore.
func (s *logStore) GetLog(index uint64, log *raft.Log) (err error) {
	s.disk.read(func(c *content) {
		found, ok := c.logs[index]
		if *log = found; !ok {
			err = raft.ErrLogNotFound
		}
	})
	return err
}

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(log *raft.Log) error { return s.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	w := &write{logs: make([]raft.Log, len(logs))}
	for i, log := range logs {
		w.logs[i] = *log
	}
	return s.disk.write(w)
}

// DeleteRange implements raft.LogStore.
func (s *logStore) DeleteRange(from, to uint64) error {
	return s.disk.write(&write{min: from, max: to})
}

// stableStore is a raft.StableStore.
type stableStore struct{ disk *Disk }

// Set implements raft.StableStore.
func (s *stableStore) Set(key, value []byte) error {
	return s.disk.write(&write{key: string(key), value: append([]byte{}, value...)})
}

// Get implements raft.StableStore.
func (s *stableStore) Get(key []byte) (value []byte, err error) {
	s.disk.read(func(c *content) { value = c.values[string(key)] })
	return value, nil
}

// SetUint64 implements raft.StableStore.
func (s *stableStore) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 implements raft.StableStore.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil || len(value) == 0 {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}
