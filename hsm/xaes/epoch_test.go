package xaes

import (
	"encoding/hex"
	"sync"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func TestEpochEnds(t *testing.T) {
	e := NewEpoch([SeedSize]byte{0: 1, 11: 2, 12: 3, 19: 4})
	first, ok := e.Next()
	if !ok || hex.EncodeToString(first[:]) != "010000000000000000000002030000000000000400000000" {
		t.Errorf("the first nonce is %x, %v", first, ok)
	}
	if Prefix(first) != e.Prefix() {
		t.Error("the nonce does not begin with the epoch's prefix")
	}
	e.used.Store(maxMessages - 1)
	last, ok := e.Next()
	if !ok || hex.EncodeToString(last[20:]) != "ffffffff" {
		t.Errorf("the last nonce is %x, %v", last, ok)
	}
	for range 2 {
		if n, ok := e.Next(); ok {
			t.Errorf("nonce %x after the last", n)
		}
	}
}

func TestEpochNeverRepeats(t *testing.T) {
	e := NewEpoch([SeedSize]byte{})
	const goroutines, each = 8, 2000
	var mu sync.Mutex
	seen := make(map[[hsm.NonceSize]byte]bool)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				n, _ := e.Next()
				mu.Lock()
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != goroutines*each {
		t.Errorf("%d different nonces of %d", len(seen), goroutines*each)
	}
}
