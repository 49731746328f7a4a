// Package history records what clients of a cluster did and saw, and checks that
// one order explains all of it. The simulator and the fault tests share it.
//
// It knows the API's promises and nothing of how they are kept: its input is
// what clients saw (operations with start and end, answers, lost answers) and
// what the ledger says. An answer that was lost stays open: the operation may
// have happened, once, at any time from its start on.
package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Outcome is what a client knows of an operation.
type Outcome string

const (
	// Answered: the service answered, with success or a refusal that is recorded.
	Answered Outcome = "answered"
	// Unknown: the answer was lost, or it was a failure that leaves it open
	// whether anything happened.
	Unknown Outcome = "unknown"
	// Nothing: the service said that nothing happened, and nothing may have.
	Nothing Outcome = "nothing"
	// TurnedAway: the service did not recognize the access key. That leaves no
	// record.
	TurnedAway Outcome = "turned away"
)

// External is the origin of imported keys.
const External = "EXTERNAL"

// Values of an ImportKeyMaterial: the material that is the key's, or another.
const (
	Own     = "own"
	Foreign = "foreign"
)

// Op is one operation of a client.
type Op struct {
	ID     int64  `json:"id"` // unique in a history; it is in the record's user agent
	Client int    `json:"client"`
	Node   string `json:"node"`
	Name   string `json:"name"` // AWS's name of the operation
	// Start and End are nanoseconds since the history began; End is that of the
	// answer, or of the client's patience.
	Start int64 `json:"start"`
	End   int64 `json:"end"`

	// The request. Key is a key's id, Alias an alias's name; an operation through
	// an alias has no Key.
	Key        string `json:"key,omitempty"`
	Alias      string `json:"alias,omitempty"`
	Target     string `json:"target,omitempty"` // key id that an alias shall point to
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext []byte `json:"ciphertext,omitempty"`
	As         string `json:"as,omitempty"`     // access key id that signed it; "" is the administrator's
	User       string `json:"user,omitempty"`   // name of the user that it is about, or is done by
	Region     string `json:"region,omitempty"` // of a multi-Region key's operation; "" for any other key
	Origin     string `json:"origin,omitempty"` // External where the key's material is imported
	Value      string `json:"value,omitempty"`  // what is set; the models say what it means
	AccessKey  string `json:"accessKey,omitempty"`

	// The answer.
	Outcome   Outcome `json:"outcome"`
	Code      string  `json:"code,omitempty"` // the exception; "" is success
	RequestID string  `json:"requestId,omitempty"`
	State     string  `json:"state,omitempty"`    // KeyState that DescribeKey saw
	Resolved  string  `json:"resolved,omitempty"` // key id that an alias led to
	Material  string  `json:"material,omitempty"` // id of the key's material that DescribeKey saw
	// Grant is the id of the grant that it is about; of one that was made, also from
	// its record where the answer was lost.
	Grant  string   `json:"grant,omitempty"`
	Listed []string `json:"listed,omitempty"` // ids of grants, sorted
}

// String is the operation on one line.
func (o *Op) String() string {
	text := fmt.Sprintf("#%d client %d %s %s [%v, %v] %s", o.ID, o.Client, o.Node, o.Name,
		time.Duration(o.Start), time.Duration(o.End), o.Outcome)
	for _, member := range []struct{ name, value string }{
		{"code", o.Code}, {"key", o.Key}, {"alias", o.Alias}, {"target", o.Target}, {"as", o.As}, {"user", o.User},
		{"region", o.Region}, {"origin", o.Origin}, {"value", o.Value}, {"accessKey", o.AccessKey}, {"state", o.State},
		{"resolved", o.Resolved}, {"material", o.Material}, {"grant", o.Grant}, {"listed", strings.Join(o.Listed, ",")},
	} {
		if member.value != "" {
			text += " " + member.name + "=" + member.value
		}
	}
	return text
}

// Recorder collects operations. It is safe for concurrent use.
type Recorder struct {
	began time.Time

	mu  sync.Mutex
	ops []*Op
}

// NewRecorder begins a history now.
func NewRecorder() *Recorder { return &Recorder{began: time.Now()} }

// Begin gives an operation its number and its start.
func (r *Recorder) Begin(op *Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.ID = int64(len(r.ops)) + 1
	op.Outcome = Unknown
	op.Start = int64(time.Since(r.began))
	r.ops = append(r.ops, op)
}

// End gives it its end. The answer is in op by then.
func (r *Recorder) End(op *Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.End = int64(time.Since(r.began))
}

// Ops answers the operations in the order of their starts, once all have ended.
func (r *Recorder) Ops() []*Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ops
}

// Write writes operations, one a line.
func Write(w io.Writer, ops []*Op) error {
	b := bufio.NewWriter(w)
	encoder := json.NewEncoder(b)
	for _, op := range ops {
		if err := encoder.Encode(op); err != nil {
			return fmt.Errorf("writing the history: %w", err)
		}
	}
	return b.Flush()
}
