package authz

import "sync"

// cache keeps values of which the name says all, of a bounded size together. It
// is safe for concurrent use.
//
// It holds two generations and drops the older one when the younger is full: a
// value that is in use moves to the younger one whenever it is found in the
// older.
type cache[K comparable, V any] struct {
	limit int // of one generation, in bytes

	mu         sync.Mutex
	young, old map[K]cached[V]
	size       int // of the younger generation
}

// cached is a value with its size.
type cached[V any] struct {
	value V
	size  int
}

// entrySize is what a value takes besides its text, about.
const entrySize = 1 << 10

// newCache makes a cache of at most limit bytes, of text and entrySize for each
// value.
func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit / 2, young: make(map[K]cached[V])}
}

// get answers the value of a name.
func (c *cache[K, V]) get(name K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.young[name]; ok {
		return e.value, true
	}
	e, ok := c.old[name]
	if ok {
		c.add(name, e)
	}
	return e.value, ok
}

// put keeps a value that was made of so many bytes of text.
func (c *cache[K, V]) put(name K, value V, text int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(name, cached[V]{value, text + entrySize})
}

func (c *cache[K, V]) add(name K, e cached[V]) {
	if c.size > 0 && c.size+e.size > c.limit {
		c.old, c.young, c.size = c.young, make(map[K]cached[V]), 0
	}
	if _, known := c.young[name]; !known { // the same name has the same value
		c.young[name] = e
		c.size += e.size
	}
}
