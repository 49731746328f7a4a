// Package cache owns the bounded cache in which a partition keeps what it has
// unwrapped or derived: keys in memory, handles of objects in a token.
//
// It never drops a value that is in use: a value is counted for as long as a
// caller holds its entry, and dropped (wiped, destroyed) by whoever lets go of
// it last. It is safe for concurrent use. A hit takes a read lock of one shard
// and writes to the entry alone; nothing is reordered, because eviction gives
// what was used since it last came by a second chance (the clock approximation
// of least recently used) rather than keeping a list.
package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shards is a power of two. One busy key is in one shard, where its readers
// share the lock; other keys' misses seldom come there.
const shards = 16

// Cache maps byte strings to values. Make it with [New].
type Cache[V any] struct {
	seed   maphash.Seed
	drop   func(V)
	shards [shards]shard[V]
}

// Entry is a value that the caller holds until it calls Release, once.
type Entry[V any] struct {
	Value V

	drop func(V)
	key  string
	refs atomic.Int64 // the cache holds one while the entry is in it
	used atomic.Bool  // since eviction last came by
}

type shard[V any] struct {
	capacity int

	mu      sync.RWMutex
	entries map[string]*Entry[V] // under mu
	ring    []*Entry[V]          // under mu; at most capacity entries
	hand    int                  // under mu; where eviction goes on
}

// New makes a cache of about capacity values, at least one per shard. drop is
// called once for each value that was added, after its last use, by the
// goroutine that let go of it; it must not call the cache.
func New[V any](capacity int, drop func(V)) *Cache[V] {
	c := &Cache[V]{seed: maphash.MakeSeed(), drop: drop}
	for i := range c.shards {
		c.shards[i].capacity = max(1, capacity/shards)
		c.shards[i].entries = make(map[string]*Entry[V])
	}
	return c
}

// Get answers the entry of a key, held for the caller, or nil. It does not keep
// or change key, and does not allocate.
func (c *Cache[V]) Get(key []byte) *Entry[V] {
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[string(key)]
	if e != nil {
		e.hold()
	}
	return e
}

// Add puts a value under a key, and answers the entry held for the caller. Where
// another goroutine was faster its entry is answered, and v is dropped.
func (c *Cache[V]) Add(key []byte, v V) *Entry[V] {
	s := c.shard(key)
	e := &Entry[V]{Value: v, drop: c.drop, key: string(key)}
	e.refs.Store(1)

	s.mu.Lock()
	if there := s.entries[e.key]; there != nil {
		there.hold()
		s.mu.Unlock()
		e.Release()
		return there
	}
	e.refs.Add(1) // not hold: what was never asked for again goes first
	evicted := s.insert(e)
	s.mu.Unlock()
	if evicted != nil {
		evicted.Release()
	}
	return e
}

// Remove takes an entry out, where it still is the one of its key. The caller
// goes on holding it.
func (c *Cache[V]) Remove(e *Entry[V]) {
	s := c.shard([]byte(e.key))
	s.mu.Lock()
	there := s.entries[e.key] == e
	if there {
		s.remove(e)
	}
	s.mu.Unlock()
	if there {
		e.Release()
	}
}

// Purge takes all entries out.
func (c *Cache[V]) Purge() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		ring := s.ring
		s.entries, s.ring, s.hand = make(map[string]*Entry[V]), nil, 0
		s.mu.Unlock()
		for _, e := range ring {
			e.Release()
		}
	}
}

// Len counts the entries.
func (c *Cache[V]) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.ring)
		s.mu.RUnlock()
	}
	return n
}

// Release ends the caller's use of the entry.
func (e *Entry[V]) Release() {
	if e.refs.Add(-1) == 0 {
		e.drop(e.Value)
	}
}

// hold needs the shard's lock: it keeps the entry in the cache, hence alive.
func (e *Entry[V]) hold() {
	e.refs.Add(1)
	if !e.used.Load() { // do not take the cache line where nothing changes
		e.used.Store(true)
	}
}

func (c *Cache[V]) shard(key []byte) *shard[V] {
	return &c.shards[maphash.Bytes(c.seed, key)%shards]
}

// insert puts e in and answers the entry whose place it took, if any.
func (s *shard[V]) insert(e *Entry[V]) (evicted *Entry[V]) {
	s.entries[e.key] = e
	if len(s.ring) < s.capacity {
		s.ring = append(s.ring, e)
		return nil
	}
	for s.ring[s.hand].used.Swap(false) {
		s.hand = (s.hand + 1) % len(s.ring)
	}
	evicted = s.ring[s.hand]
	delete(s.entries, evicted.key)
	s.ring[s.hand] = e
	s.hand = (s.hand + 1) % len(s.ring)
	return evicted
}

func (s *shard[V]) remove(e *Entry[V]) {
	delete(s.entries, e.key)
	last := len(s.ring) - 1
	for i := range s.ring {
		if s.ring[i] == e {
			s.ring[i] = s.ring[last]
			s.ring[last] = nil
			s.ring = s.ring[:last]
			break
		}
	}
	if s.hand >= len(s.ring) {
		s.hand = 0
	}
}
