package rate

import (
	"fmt"
	"testing"
	"time"
)

// clock is moved by hand.
type clock struct{ now time.Time }

func (c *clock) limits(rates map[string]float64) *Limits {
	c.now = time.Unix(1e9, 0)
	return New(rates, func() time.Time { return c.now })
}

// taken counts how many of n requests are allowed.
func taken(l *Limits, account, group string, n int) (allowed int) {
	for range n {
		if l.Allow(account, group) {
			allowed++
		}
	}
	return allowed
}

func TestRates(t *testing.T) {
	var c clock
	l := c.limits(map[string]float64{"many": 10, "few": 0.5})
	for _, step := range []struct {
		wait           time.Duration
		account, group string
		want           int
	}{
		{0, "a", "many", 10}, {0, "a", "many", 0}, {0, "b", "many", 10}, // each account has its own
		{100 * time.Millisecond, "a", "many", 1}, {time.Hour, "a", "many", 10}, // at most a second's worth
		{500 * time.Millisecond, "a", "many", 5},
		{0, "a", "few", 1}, {time.Second, "a", "few", 0}, {time.Second, "a", "few", 1}, {time.Hour, "a", "few", 1},
		{-time.Hour, "a", "few", 0}, {2 * time.Second, "a", "few", 1}, // the clock is set back
		{0, "a", "other", 100},
	} {
		c.now = c.now.Add(step.wait)
		if got := taken(l, step.account, step.group, 100); got != step.want {
			t.Errorf("after %v %s has %d of %s, want %d", step.wait, step.account, got, step.group, step.want)
		}
	}
	if none := (*Limits)(nil); !none.Allow("a", "many") {
		t.Error("without limits something is refused")
	}
}

// TestRefusedRequestsCostNothing: a client that never stops gets its rate all the
// same.
func TestRefusedRequestsCostNothing(t *testing.T) {
	var c clock
	l := c.limits(map[string]float64{"g": 5})
	allowed := 0
	for range 10_000 {
		c.now = c.now.Add(time.Millisecond)
		if l.Allow("a", "g") {
			allowed++
		}
	}
	if allowed < 50 || allowed > 55 {
		t.Errorf("%d requests in ten seconds of five each", allowed)
	}
}

// TestQuietAccountsAreForgotten: and those whose quota is not full are not.
func TestQuietAccountsAreForgotten(t *testing.T) {
	var c clock
	l := c.limits(map[string]float64{"g": 2, "slow": 0.001})
	for i := range 1000 {
		l.Allow(fmt.Sprint(i), "g")
	}
	l.Allow("a", "slow")
	c.now = c.now.Add(2 * sweepEvery)
	if l.Allow("a", "slow") {
		t.Error("a quota that was used up is full again")
	}
	if len(l.buckets) != 1 {
		t.Errorf("%d buckets are kept", len(l.buckets))
	}
}
