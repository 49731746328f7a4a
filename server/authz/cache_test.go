package authz

import (
	"strings"
	"testing"
)

// TestCacheIsBounded: what is used stays, and all of it together takes no more
// than the limit.
func TestCacheIsBounded(t *testing.T) {
	const limit = 64 * entrySize
	c := newCache[int, string](limit)
	c.put(0, "in use", 6)
	for i := 1; i < 1000; i++ {
		text := strings.Repeat("x", i*7%(3*entrySize))
		c.put(i, text, len(text))
		if got, ok := c.get(i); !ok || got != text {
			t.Fatalf("%d is not there at once", i)
		}
		if got, ok := c.get(0); !ok || got != "in use" {
			t.Fatalf("what is in use is gone after %d others", i)
		}
		total := 0
		for _, generation := range []map[int]cached[string]{c.young, c.old} {
			for _, e := range generation {
				total += e.size
			}
		}
		if total > limit {
			t.Fatalf("%d bytes are kept of %d", total, limit)
		}
	}
	if _, ok := c.get(1); ok {
		t.Error("the first of a thousand is still there")
	}
}
