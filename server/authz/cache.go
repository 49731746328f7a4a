package authz

import "sync"

// cache keeps values of which the name says all, a bounded number of them. It is
// safe for concurrent use.
//
// It holds two generations and drops the older one when the younger is full: a
// value that is in use moves to the younger one whenever it is found in the
// older.
type cache[K comparable, V any] struct {
	limit int // of one generation

	mu         sync.Mutex
	young, old map[K]V
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: max(1, limit/2), young: make(map[K]V)}
}

// get answers the value of a name.
func (c *cache[K, V]) get(name K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok = c.young[name]; ok {
		return value, true
	}
	if value, ok = c.old[name]; ok {
		c.add(name, value)
	}
	return value, ok
}

// put keeps a value.
func (c *cache[K, V]) put(name K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(name, value)
}

func (c *cache[K, V]) add(name K, value V) {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[K]V, c.limit)
	}
	c.young[name] = value
}
