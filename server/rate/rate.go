// Package rate owns request-rate quotas: how many requests of a group an account
// may make a second on this node. A group is an operation, or several that share
// a quota.
//
// It knows no service, no request and no configuration file, keeps nothing on
// disk and asks no other node. It is safe because all it can do is to refuse:
// a bucket that is forgotten is a full one.
package rate

import (
	"sync"
	"time"
)

// Limits are the quotas of one node. They are safe for concurrent use. A nil
// Limits allows everything.
type Limits struct {
	rates map[string]float64
	now   func() time.Time

	mu      sync.Mutex
	buckets map[id]bucket
	swept   time.Time // when full buckets were last forgotten
}

type id struct{ account, group string }

// bucket is a token bucket: it holds a second's worth of requests, or one where
// the rate is below one, and fills at the rate of its group.
type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
}

// New makes limits of rates, which are requests per second by group, above 0; a
// group that is not there has no quota. now is the clock; nil means time.Now.
func New(rates map[string]float64, now func() time.Time) *Limits {
	if now == nil {
		now = time.Now
	}
	return &Limits{rates: rates, now: now, buckets: make(map[id]bucket)}
}

// Allow takes one request from an account's quota of a group, and answers false
// where there is none left. A request that is refused costs nothing.
func (l *Limits) Allow(account, group string) bool {
	if l == nil {
		return true
	}
	rate, limited := l.rates[group]
	if !limited {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.sweep(now)
	key := id{account, group}
	b, known := l.buckets[key]
	if !known {
		b = bucket{tokens: size(rate), at: now}
	}
	b = b.filled(rate, now)
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[key] = b
	return allowed
}

// size is how many requests a bucket holds.
func size(rate float64) float64 { return max(rate, 1) }

// filled is the bucket at a later time. A clock that goes back adds nothing.
func (b bucket) filled(rate float64, now time.Time) bucket {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(size(rate), b.tokens+passed*rate)
	}
	b.at = now
	return b
}

// sweepEvery is how long buckets of accounts that have gone quiet are kept at
// least.
const sweepEvery = time.Minute

// sweep forgets the buckets that have become full, now and then.
func (l *Limits) sweep(now time.Time) {
	if passed := now.Sub(l.swept); passed >= 0 && passed < sweepEvery {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		if rate := l.rates[key.group]; b.filled(rate, now).tokens >= size(rate) {
			delete(l.buckets, key)
		}
	}
}
