package cluster

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestCalm: a message that repeats itself is let through once, others are not
// touched.
func TestCalm(t *testing.T) {
	var out bytes.Buffer
	log := newCalm(hclog.New(&hclog.LoggerOptions{Output: &out})).Named("raft")
	for range 5 {
		log.Error("failed to heartbeat to", "peer", "a", "error", "refused")
		log.Error("failed to heartbeat to", "peer", "b", "error", "refused")
		log.Info("all the same")
	}
	for index := range uint64(5) {
		log.Warn("no entry", "previous-index", index)
	}
	if heard := strings.Count(out.String(), "no entry"); heard != 1 {
		t.Errorf("heard %d times of entries:\n%s", heard, out.String())
	}
	if heard := strings.Count(out.String(), "failed"); heard != 2 {
		t.Errorf("heard %d failures:\n%s", heard, out.String())
	}
	if heard := strings.Count(out.String(), "all the same"); heard != 5 {
		t.Errorf("heard %d", heard)
	}
	r := &repeats{last: make(map[string]*repeat)}
	now := time.Now()
	r.note("m", now)
	r.note("m", now.Add(time.Second))
	r.note("m", now.Add(2*time.Second))
	if held, pass := r.note("m", now.Add(calmInterval)); held != 2 || !pass {
		t.Errorf("after the interval: %d held back, passes %t", held, pass)
	}
}
