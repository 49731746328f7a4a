package cluster

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// calmInterval is how long a message that repeats itself is held back.
const calmInterval = 10 * time.Second

// calm is a logger for hashicorp/raft, which says several times a second that a
// peer is down: of messages that begin alike it lets one through in an interval
// and adds how many it held back.
type calm struct {
	hclog.Logger
	repeats *repeats
}

func newCalm(logger hclog.Logger) calm {
	return calm{Logger: logger, repeats: &repeats{last: make(map[string]*repeat)}}
}

// Warn implements hclog.Logger.
func (c calm) Warn(message string, args ...any) { c.pass(c.Logger.Warn, message, args) }

// Error implements hclog.Logger.
func (c calm) Error(message string, args ...any) { c.pass(c.Logger.Error, message, args) }

// Named implements hclog.Logger.
func (c calm) Named(name string) hclog.Logger {
	return calm{Logger: c.Logger.Named(name), repeats: c.repeats}
}

// With implements hclog.Logger.
func (c calm) With(args ...any) hclog.Logger {
	return calm{Logger: c.Logger.With(args...), repeats: c.repeats}
}

func (c calm) pass(log func(string, ...any), message string, args []any) {
	key := message
	if len(args) >= 2 && !number(args[1]) { // the first pair names the peer
		key = fmt.Sprint(message, args[0], args[1])
	}
	held, pass := c.repeats.note(key, time.Now())
	if !pass {
		return
	}
	if held > 0 {
		args = append(args[:len(args):len(args)], "repeated", held)
	}
	log(message, args...)
}

// number says whether a value is an index or a term, which says nothing about who
// is meant.
func number(value any) bool {
	_, is := value.(uint64)
	return is
}

// repeats counts messages.
type repeats struct {
	mu   sync.Mutex
	last map[string]*repeat
}

type repeat struct {
	at   time.Time // when it was let through
	held int       // how many were not since
}

// maxRepeats bounds the messages that are told apart.
const maxRepeats = 1024

// note counts a message and says whether it passes, and how many before it did
// not.
func (r *repeats) note(key string, now time.Time) (held int, pass bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.last[key]
	switch {
	case seen == nil:
		if len(r.last) >= maxRepeats {
			clear(r.last)
		}
		r.last[key] = &repeat{at: now}
		return 0, true
	case now.Sub(seen.at) < calmInterval:
		seen.held++
		return 0, false
	}
	held = seen.held
	*seen = repeat{at: now}
	return held, true
}
