package sigv4

import (
	"cmp"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/server/call"
)

// basicFormat is ISO 8601's basic format, in which requests are dated.
const basicFormat = "20060102T150405Z"

// maxSkew is how far a client's clock may be from ours.
const maxSkew = 5 * time.Minute

// requestDate is when a request says that it was signed.
type requestDate struct {
	header string // the header that says so, in lower case; "" where the query string does
	value  string // as it stands there
	stamp  string // in the basic format
	at     time.Time
	life   time.Duration // how long the signature is valid; 0 means maxSkew
}

// findDate finds the date: X-Amz-Date, or else Date. The value is empty where
// there is neither.
func findDate(h http.Header) requestDate {
	if values := h["X-Amz-Date"]; len(values) == 1 {
		return requestDate{header: "x-amz-date", value: values[0]}
	}
	if values := h["Date"]; len(values) == 1 {
		return requestDate{header: "date", value: values[0]}
	}
	return requestDate{}
}

// parse reads the value: in the basic format, or, of a Date header, in one of
// HTTP's (RFC 9110 §5.6.7).
func (d *requestDate) parse() *call.Error {
	if at, ok := parseBasic(d.value); ok {
		d.at, d.stamp = at, d.value
		return nil
	}
	if d.header == "date" {
		if at, err := http.ParseTime(d.value); err == nil {
			d.at, d.stamp = at.UTC(), at.UTC().Format(basicFormat)
			return nil
		}
	}
	return call.Errorf(incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", d.value)
}

// check refuses a request whose signature is no longer valid, or that will be
// signed in more than maxSkew.
func (d *requestDate) check(now time.Time) *call.Error {
	now = now.UTC().Truncate(time.Second)
	life := cmp.Or(d.life, maxSkew)
	if oldest := now.Add(-life); d.at.Before(oldest) {
		return call.Errorf(invalid, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			d.stamp, oldest.Format(basicFormat), now.Format(basicFormat), life/time.Minute)
	}
	if newest := now.Add(maxSkew); d.at.After(newest) {
		return call.Errorf(invalid, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			d.stamp, newest.Format(basicFormat), now.Format(basicFormat))
	}
	return nil
}

// parseBasic is time.Parse(basicFormat, s) at a tenth of its cost.
func parseBasic(s string) (time.Time, bool) {
	if len(s) != len(basicFormat) || s[8] != 'T' || s[15] != 'Z' {
		return time.Time{}, false
	}
	ok := true
	number := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			ok = ok && c >= '0' && c <= '9'
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(4, 6), number(6, 8)
	hour, minute, second := number(9, 11), number(11, 13), number(13, 15)
	if !ok || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// time.Date normalizes 31 February; what changed was no date.
	return t, t.Year() == year && int(t.Month()) == month && t.Day() == day
}
