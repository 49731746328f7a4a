package kms

import (
	"strconv"
	"time"
)

// timestamp is Unix milliseconds. In responses it is what the JSON 1.1 protocol
// calls epoch seconds: a number of seconds with three decimals.
type timestamp int64

// MarshalJSON writes epoch seconds.
func (t timestamp) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt(nil, int64(t)/1000, 10)
	ms := int64(t) % 1000
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10)), nil
}

// calendar writes a time as CloudTrail writes dates inside requestParameters and
// responseElements: "Aug 10, 2022, 10:38:27 PM".
func (t timestamp) calendar() string {
	return time.UnixMilli(int64(t)).UTC().Format("Jan 2, 2006, 3:04:05 PM")
}
