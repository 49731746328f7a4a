package identity

import (
	"errors"
	"fmt"
	"io"
)

// Secret is a secret access key. It does not print: every verb of fmt writes
// "redacted", and it refuses to become JSON or text.
type Secret struct{ value []byte }

// Reveal answers the secret itself. The slice is the Secret's own.
func (s Secret) Reveal() []byte { return s.value }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "redacted") }

// String answers "redacted".
func (s Secret) String() string { return "redacted" }

var errSecret = errors.New("identity: a secret is not to be encoded")

// MarshalText refuses, and so does encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return nil, errSecret }
