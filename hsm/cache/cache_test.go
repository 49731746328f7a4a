package cache_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cofre-kms/cofre/hsm/cache"
)

type value struct {
	name    string
	dropped atomic.Int64
}

func newCache(capacity int) *cache.Cache[*value] {
	return cache.New(capacity, func(v *value) { v.dropped.Add(1) })
}

func TestHeldValueIsNotDropped(t *testing.T) {
	c := newCache(1) // one per shard
	v := &value{name: "held"}
	e := c.Add([]byte("held"), v)
	for i := range 1000 {
		c.Add([]byte(strconv.Itoa(i)), &value{}).Release()
	}
	if c.Get([]byte("held")) != nil {
		t.Fatal("a thousand values did not evict the first")
	}
	if v.dropped.Load() != 0 {
		t.Fatal("a value was dropped in use")
	}
	e.Release()
	if v.dropped.Load() != 1 {
		t.Fatal("an evicted value was not dropped after its last use")
	}
}

func TestSecondAddIsDropped(t *testing.T) {
	c := newCache(100)
	first, second := &value{}, &value{}
	a, b := c.Add([]byte("k"), first), c.Add([]byte("k"), second)
	if a != b || b.Value != first {
		t.Error("the second add replaced the first")
	}
	if first.dropped.Load() != 0 || second.dropped.Load() != 1 {
		t.Error("the value that lost was not the one dropped")
	}
}

func TestRemoveAndPurge(t *testing.T) {
	c := newCache(100)
	removed, purged := &value{}, &value{}
	e := c.Add([]byte("removed"), removed)
	c.Add([]byte("purged"), purged).Release()
	c.Remove(e)
	c.Remove(e) // changes nothing
	if c.Get([]byte("removed")) != nil || c.Len() != 1 {
		t.Error("remove left the entry in")
	}
	e.Release()
	c.Purge()
	if removed.dropped.Load() != 1 || purged.dropped.Load() != 1 || c.Len() != 0 {
		t.Error("a value was not dropped exactly once")
	}
}

func TestUsedValuesStay(t *testing.T) {
	c := newCache(16 * 8)
	c.Add([]byte("busy"), &value{}).Release()
	for i := range 1000 {
		c.Add([]byte(strconv.Itoa(i)), &value{}).Release()
		e := c.Get([]byte("busy"))
		if e == nil {
			t.Fatalf("the busy value was evicted after %d others", i)
		}
		e.Release()
	}
}

// TestConcurrentUse checks under contention that no value is dropped in use, that
// all are dropped once in the end, and that the bound holds.
func TestConcurrentUse(t *testing.T) {
	const capacity = 32
	c := newCache(capacity)
	var mu sync.Mutex
	var all []*value
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				key := []byte(strconv.Itoa((i * (g + 7)) % 97))
				e := c.Get(key)
				if e == nil {
					v := &value{name: string(key)}
					mu.Lock()
					all = append(all, v)
					mu.Unlock()
					e = c.Add(key, v)
				}
				if e.Value.dropped.Load() != 0 || e.Value.name != string(key) {
					t.Error("got a dropped or foreign value")
				}
				if i%100 == 0 {
					c.Remove(e)
				}
				e.Release()
			}
		})
	}
	wg.Wait()
	if c.Len() > capacity {
		t.Errorf("%d entries in a cache of %d", c.Len(), capacity)
	}
	c.Purge()
	for _, v := range all {
		if v.dropped.Load() != 1 {
			t.Fatalf("a value was dropped %d times", v.dropped.Load())
		}
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	c := newCache(16)
	c.Add([]byte("k"), &value{}).Release()
	if n := testing.AllocsPerRun(100, func() {
		var buf [8]byte
		c.Get(append(buf[:0], 'k')).Release()
	}); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}
