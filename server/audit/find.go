package audit

import (
	"bytes"
	"encoding/hex"
	"sort"
	"strings"
	"time"
)

// A request id is a version 7 UUID (RFC 9562 §5.7): it says when the request
// came, to a millisecond, by the clock that also dates its record. The ledger is
// nearly in the order of these times: a record stands where it was committed,
// which is up to a request's deadline later, and nodes' clocks differ. So a record
// is found by its id without an index of them.

// disorders are how far, in time, records may stand from where their dates put
// them: first what requests take, then what clocks are allowed to differ.
var disorders = []time.Duration{40 * time.Second, 10 * time.Minute}

// arrival is when the request of an id came; false for what is no such id.
func arrival(id string) (time.Time, bool) {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != 16 || len(id) != 36 || raw[6]>>4 != 7 {
		return time.Time{}, false
	}
	var ms int64
	for _, b := range raw[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms), true
}

// find answers the position of the record of a request; false where there is
// none.
func (s *Service) find(id string) (position int64, found bool, err error) {
	at, ok := arrival(id)
	if !ok {
		return 0, false, nil
	}
	for _, disorder := range disorders {
		position, found, err = s.findNear(id, at, disorder)
		if found || err != nil {
			return position, found, err
		}
	}
	return 0, false, nil
}

// findNear looks at the records that were committed within a time of an instant.
func (s *Service) findNear(id string, at time.Time, disorder time.Duration) (position int64, found bool, err error) {
	first := sort.Search(int(s.cfg.Ledger.Status().LedgerSize), func(n int) bool {
		event, readErr := s.cfg.Ledger.Event(int64(n))
		if readErr != nil {
			err = readErr
			return true
		}
		return dated(event).After(at.Add(-disorder))
	})
	if err != nil {
		return 0, false, err
	}
	member := []byte(`"requestID":"` + id + `"`)
	err = s.cfg.Ledger.Events(int64(first), func(n int64, event []byte) (bool, error) {
		if bytes.Contains(event, member) {
			position, found = n, true
			return false, nil
		}
		return dated(event).Before(at.Add(disorder)), nil
	})
	return position, found, err
}

// dated is the eventTime of a record, which package record writes before all
// that a caller chooses.
func dated(event []byte) time.Time {
	const member = `"eventTime":"`
	_, rest, _ := bytes.Cut(event, []byte(member))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	t, _ := time.Parse(time.RFC3339, string(text)) // the zero time, for a record that is none of ours
	return t
}
