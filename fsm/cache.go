package fsm

import (
	"hash/maphash"
	"sync"
)

// cache holds the records that were read last, absent ones too, with their
// decoded values.
//
// Reads go forward: who has seen a record as one entry left it never finds
// another as it was before that entry, though each read is on its own. The
// database commits a batch at one instant, but the cache is brought up to it
// record by record, so it stands aside meanwhile: Apply holds every record that
// it is about to write before it commits, and updates each afterwards. A held
// record is read from the database.
//
// A reader that misses reads the database and offers what it found. Between the
// two Apply may have written the record, so a miss hands out the shard's epoch,
// hold and update move it on, and an offer of an older epoch, or to a shard with
// held records, is dropped.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

const (
	cacheShards = 64
	// cacheUnit is how many bytes of a key and its value count as one record.
	cacheUnit = 1 << 10
)

// cacheShard is a part of the cache under one lock: a map into a ring of entries
// in the order of their last use. root.next is the last used one.
type cacheShard struct {
	mu       sync.Mutex
	entries  map[Key]*cacheEntry
	root     cacheEntry
	size     int // in units
	capacity int
	epoch    uint64
	held     int      // records of this shard between hold and update
	_        [64]byte // keeps shards off each other's cache lines
}

type cacheEntry struct {
	key        Key
	record     *Record // nil: the record is absent
	held       bool
	prev, next *cacheEntry
}

// units is what an entry takes of the capacity. The key counts as well: one of a
// record that is absent may be whatever a stranger has asked for.
func (e *cacheEntry) units() int {
	size := len(e.key)
	if e.record != nil {
		size += len(e.record.Value)
	}
	return 1 + size/cacheUnit
}

func newCache(records int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries = make(map[Key]*cacheEntry)
		s.root.prev, s.root.next = &s.root, &s.root
		s.capacity = max(records/cacheShards, 1)
	}
	return c
}

func (c *cache) shard(key Key) *cacheShard {
	return &c.shards[maphash.String(c.seed, string(key))%cacheShards]
}

// get answers a cached record, nil where it is absent. On a miss, offer takes
// what was read and the epoch.
func (c *cache) get(key Key) (rec *Record, hit bool, epoch uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || e.held {
		return nil, false, s.epoch
	}
	if s.root.next != e {
		e.unlink()
		s.pushFront(e)
	}
	return e.record, true, 0
}

// peek answers a cached record and leaves the order as it is.
func (c *cache) peek(key Key) (rec *Record, hit bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil && !e.held {
		return e.record, true
	}
	return nil, false
}

// offer keeps a record that was read from the database after a miss, unless it
// may have been written since. It answers the record to use: the cached one
// where another reader was first, so that a value is decoded once.
func (c *cache) offer(key Key, rec *Record, epoch uint64) *Record {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch || s.held > 0 {
		return rec
	}
	if e := s.entries[key]; e != nil {
		return e.record
	}
	e := &cacheEntry{key: key, record: rec}
	s.entries[key] = e
	s.size += e.units()
	s.pushFront(e)
	s.evict()
	return rec
}

// hold takes a record out of use until update: Apply is about to write it.
func (c *cache) hold(key Key) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.held++
	if e := s.entries[key]; e != nil {
		e.held = true
	}
}

// update takes a record that Apply has held and written, nil where it deleted
// it. A record that nobody has read is not kept: most writes are never read here.
func (c *cache) update(key Key, rec *Record) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.held--
	e := s.entries[key]
	if e == nil {
		return
	}
	e.held = false
	s.size -= e.units()
	e.record = rec
	s.size += e.units()
	s.evict()
}

func (s *cacheShard) evict() {
	for s.size > s.capacity && s.root.prev != s.root.next {
		e := s.root.prev
		e.unlink()
		delete(s.entries, e.key)
		s.size -= e.units()
	}
}

func (s *cacheShard) pushFront(e *cacheEntry) {
	e.prev, e.next = &s.root, s.root.next
	e.prev.next, e.next.prev = e, e
}

func (e *cacheEntry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}
