package hsm

import "errors"

// PIN is what opens a partition. It does not print.
type PIN string

const redacted = "redacted"

// String hides the PIN from logs and errors.
func (PIN) String() string { return redacted }

// GoString hides the PIN from %#v.
func (PIN) GoString() string { return redacted }

// MarshalText refuses, so that no encoder writes the PIN out.
func (PIN) MarshalText() ([]byte, error) { return nil, errors.New("a PIN is not written out") }
