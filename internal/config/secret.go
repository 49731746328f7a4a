package config

import (
	"errors"
	"fmt"
	"io"
)

// Secret is a string that does not print: every verb of fmt writes "redacted",
// and it refuses to become JSON, text or TOML.
type Secret struct{ value string }

// NewSecret wraps a secret.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal answers the secret itself.
func (s Secret) Reveal() string { return s.value }

// Empty says whether there is no secret.
func (s Secret) Empty() bool { return s.value == "" }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "redacted") }

// String answers "redacted".
func (s Secret) String() string { return "redacted" }

// errSecret is returned when somebody encodes a secret.
var errSecret = errors.New("config: a secret is not to be encoded")

// MarshalJSON refuses.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalText refuses.
func (s Secret) MarshalText() ([]byte, error) { return nil, errSecret }
