package fsm

import (
	"fmt"
	"strings"
	"testing"
)

// TestCacheIsBoundedInBytes: neither large values nor long keys, of absent
// records too, make the cache larger than its capacity in units.
func TestCacheIsBoundedInBytes(t *testing.T) {
	for name, fill := range map[string]func(c *cache, i int){
		"keys of absent records": func(c *cache, i int) { c.miss(Key(fmt.Sprint(strings.Repeat("k", 16*cacheUnit), i)), nil) },
		"values":                 func(c *cache, i int) { c.miss(Key(fmt.Sprint(i)), &Record{Value: make([]byte, 16*cacheUnit)}) },
	} {
		t.Run(name, func(t *testing.T) {
			const records = 1024
			c := newCache(records)
			for i := range 4 * records {
				fill(c, i)
			}
			// A shard keeps one entry, however large.
			if total, most := c.bytes(), 2*records*cacheUnit; total > most {
				t.Errorf("the cache holds %d bytes, want at most %d", total, most)
			}
		})
	}
}

// miss is what a read does that the database answers.
func (c *cache) miss(key Key, rec *Record) {
	_, _, epoch := c.get(key)
	c.offer(key, rec, epoch)
}

// bytes are those of all keys and values.
func (c *cache) bytes() (total int) {
	for i := range c.shards {
		for key, e := range c.shards[i].entries {
			total += len(key)
			if e.record != nil {
				total += len(e.record.Value)
			}
		}
	}
	return total
}
