package history

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// AgentPrefix begins the user agent of every operation; its number follows.
const AgentPrefix = "history/"

// Agent is the user agent of an operation: how its record is found in the ledger
// when its answer was lost.
func (o *Op) Agent() string { return AgentPrefix + strconv.FormatInt(o.ID, 10) }

// Ledger places the operations of a history in the ledger.
type Ledger struct {
	ops      []*Op
	byID     map[int64]*Op
	Position map[int64]int64 // by operation: where its record is
	Order    []*Op           // those that have a record, in its order
	Problems []Problem
}

// NewLedger begins the comparison of a history with a ledger.
func NewLedger(ops []*Op) *Ledger {
	l := &Ledger{ops: ops, byID: make(map[int64]*Op, len(ops)), Position: make(map[int64]int64, len(ops))}
	for _, op := range ops {
		l.byID[op.ID] = op
	}
	return l
}

// entry is what is compared of a record.
type entry struct {
	EventName string `json:"eventName"`
	UserAgent string `json:"userAgent"`
	ErrorCode string `json:"errorCode"`
	RequestID string `json:"requestID"`
	Response  struct {
		GrantID string `json:"grantId"`
		User    struct {
			UserID string `json:"userId"`
		} `json:"user"`
	} `json:"responseElements"`
}

// Add takes the next record. Records of others than the history's clients are
// passed over.
func (l *Ledger) Add(position int64, record []byte) {
	var e entry
	if err := json.Unmarshal(record, &e); err != nil {
		l.fail("record %d is no JSON: %v", position, err)
		return
	}
	number, ours := strings.CutPrefix(e.UserAgent, AgentPrefix)
	if !ours {
		return
	}
	id, err := strconv.ParseInt(number, 10, 64)
	op := l.byID[id]
	if err != nil || op == nil {
		l.fail("record %d is of operation %q, which nobody began", position, number)
		return
	}
	if first, twice := l.Position[id]; twice {
		l.fail("records %d and %d are of one operation: %v", first, position, op)
		return
	}
	l.Position[id] = position
	l.Order = append(l.Order, op)
	l.compare(position, op, &e)
}

func (l *Ledger) compare(position int64, op *Op, e *entry) {
	switch {
	case op.Outcome == Nothing, op.Outcome == TurnedAway:
		l.fail("record %d is of an operation that was answered with %s: nothing happened: %v", position, op.Code, op)
	case op.Outcome == Unknown:
		l.complete(op, e)
	case op.Outcome == Answered && (e.EventName != op.Name || e.RequestID != op.RequestID || e.ErrorCode != recorded(op.Code)):
		l.fail("record %d says %+v, the answer was %v", position, *e, op)
	}
}

// recorded is how CloudTrail calls an exception that clients know by a code.
func recorded(code string) string {
	if code == accessDenied {
		return "AccessDenied"
	}
	return code
}

// complete gives an operation whose answer was lost the id of what it made, which
// nobody but the service could know.
func (l *Ledger) complete(op *Op, e *entry) {
	switch op.Name {
	case "CreateGrant":
		op.Grant = e.Response.GrantID
	case "CreateUser":
		op.Resolved = e.Response.User.UserID
	}
}

func (l *Ledger) fail(format string, args ...any) {
	l.Problems = append(l.Problems, problem("ledger", format, args...))
}

// Finish checks the whole, once all records are in: every answer has a record
// (P1), the records stand in an order that time allows, and what was answered is
// what the operations do in that order (P2).
func (l *Ledger) Finish() []Problem {
	for _, op := range l.ops {
		if _, recorded := l.Position[op.ID]; op.Outcome == Answered && !recorded {
			l.fail("no record of %v", op)
		}
	}
	l.checkTimes()
	for i := range Models {
		l.replay(&Models[i])
	}
	return l.Problems
}

// checkTimes: what ended before another began stands before it.
func (l *Ledger) checkTimes() {
	var earliest *Op // of the records further on, the one that ended first
	for i := len(l.Order) - 1; i >= 0; i-- {
		op := l.Order[i]
		if earliest != nil && earliest.End < op.Start {
			l.fail("the record of an operation stands behind that of a later one:\n\t%v\n\t%v", earliest, op)
		}
		if op.Outcome == Answered && (earliest == nil || op.End < earliest.End) {
			earliest = op
		}
	}
}

// replay runs a model in the ledger's order. A record means that the operation
// happened; one whose answer was lost then did what it does.
func (l *Ledger) replay(m *Model) {
	states := make(map[string]string)
	for _, op := range l.Order {
		object := m.Of(op)
		if object == "" || later(op) {
			continue
		}
		state, known := states[object]
		if !known {
			state = m.Initial
		}
		fits, next := m.Step(state, op)
		if !fits {
			l.fail("%s %s is %q by the ledger at record %d; that does not fit %v",
				m.Name, object, state, l.Position[op.ID], op)
		}
		states[object] = next
	}
}

// later says whether an operation reads after its record is committed: the order
// of records does not say what it saw, the clients' times do.
func later(op *Op) bool { return op.Name == "ListGrants" }

// String says how much was compared.
func (l *Ledger) String() string {
	return fmt.Sprintf("%d operations, %d with a record", len(l.ops), len(l.Order))
}
