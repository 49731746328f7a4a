package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The matchers of numbers and dates.

// numbers is the Numeric family: integers and decimals.
type numbers struct {
	order
	values []float64
}

func newNumbers(o order) func([]string, bool) (matcher, error) {
	return func(values []string, _ bool) (matcher, error) {
		m := numbers{order: o}
		for _, v := range values {
			n, ok := parseNumber(v)
			if !ok {
				return nil, fmt.Errorf("%q is no number", v)
			}
			m.values = append(m.values, n)
		}
		return m, nil
	}
}

func (m numbers) match(e *evaluation, value string) bool {
	n, ok := parseNumber(value)
	for _, v := range m.values {
		if ok && e.meter.spend(1) && m.holds(compare(n, v)) {
			return true
		}
	}
	return false
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parseNumber reads a decimal number.
func parseNumber(s string) (n float64, ok bool) {
	if s == "" || strings.Trim(s, "+-.0123456789eE") != "" { // no hexadecimal digits, infinities or underscores
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// dates is the Date family: the forms of ISO 8601 that W3C's note on date and
// time formats has, and seconds since 1970.
type dates struct {
	order
	values []time.Time
}

func newDates(o order) func([]string, bool) (matcher, error) {
	return func(values []string, _ bool) (matcher, error) {
		m := dates{order: o}
		for _, v := range values {
			t, ok := parseDate(v)
			if !ok {
				return nil, fmt.Errorf("%q is no date", v)
			}
			m.values = append(m.values, t)
		}
		return m, nil
	}
}

func (m dates) match(e *evaluation, value string) bool {
	t, ok := parseDate(value)
	for _, v := range m.values {
		if ok && e.meter.spend(1) && m.holds(t.Compare(v)) {
			return true
		}
	}
	return false
}

// epochDigits is from how many digits on a number is seconds since 1970 and not a
// year.
const epochDigits = 5

func parseDate(s string) (t time.Time, ok bool) {
	if len(s) >= epochDigits && strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(n, 0), err == nil && len(s) <= 12
	}
	for _, layout := range [...]string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
