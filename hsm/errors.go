package hsm

import (
	"errors"
	"fmt"
)

// Errors that a Partition answers with; test with errors.Is.
var (
	// ErrUnavailable is returned when the device failed: lost, dead, logged out
	// for good. It turns health red; every other error leaves it alone.
	ErrUnavailable = errors.New("HSM partition unavailable")
	// ErrPIN is returned when the partition refuses the PIN. Nobody tries again by
	// himself: a token locks itself after a few wrong ones. It is ErrUnavailable
	// too.
	ErrPIN = fmt.Errorf("%w: the PIN is refused", ErrUnavailable)
	// ErrTimeout is returned when the device did not answer in time. The call may
	// still be running inside it.
	ErrTimeout = errors.New("HSM call timed out")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("HSM partition closed")
	// ErrNoDomain is returned when the partition lacks the domain key generation
	// that a key is wrapped under.
	ErrNoDomain = errors.New("domain key not in the partition")
	// ErrExists is returned when an object that would be made is there already.
	ErrExists = errors.New("object exists in the partition")
	// ErrInvalidCiphertext is returned when authenticated decryption fails.
	ErrInvalidCiphertext = errors.New("ciphertext does not authenticate")
	// ErrInvalidKey is returned when wrapped material does not unwrap, or is not
	// of the spec that it claims.
	ErrInvalidKey = errors.New("wrapped key is invalid")
	// ErrUnsupported is returned for what the partition cannot do at all.
	ErrUnsupported = errors.New("not supported by the HSM partition")
)

// Error is a failure with the PKCS#11 return value that caused it.
type Error struct {
	Op   string // the PKCS#11 function or step, such as "C_UnwrapKey"
	Code uint   // CKR_…; 0 where the failure has none
	Err  error  // one of the sentinels above
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s: CKR 0x%08X: %v", e.Op, e.Code, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
