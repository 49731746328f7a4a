package pkcs11

import (
	"errors"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// class says what to do about an error.
type class int

const (
	// done: nothing; the caller gets the error.
	done class = iota
	// retire: the session is in a state that we do not know. Leave it alone and
	// go on with another.
	retire
	// reconnect: the token has forgotten our sessions, login or objects. Open
	// sessions, log in and look the objects up anew.
	reconnect
	// reinitialize: the module or the device has lost its state. Finalize and
	// initialize the module, then reconnect.
	reinitialize
	// dead: the token will not let us in, and trying again could lock the PIN.
	dead
)

// errLost is returned when we find out by ourselves that the module or the token
// has lost its state. It never leaves the package.
var errLost = errors.New("the module or the token has lost its state")

// classes is for codes (PKCS #11 v2.40 §11.1) that are about the session, the
// token or the module rather than about the arguments.
var classes = map[uint]class{
	p11.CKR_OPERATION_ACTIVE:          retire,
	p11.CKR_OPERATION_NOT_INITIALIZED: retire,
	p11.CKR_BUFFER_TOO_SMALL:          retire, // leaves the operation active
	p11.CKR_FUNCTION_CANCELED:         retire,

	p11.CKR_SESSION_COUNT:                 reconnect, // closes retired sessions
	p11.CKR_SESSION_CLOSED:                reconnect,
	p11.CKR_SESSION_HANDLE_INVALID:        reconnect,
	p11.CKR_USER_NOT_LOGGED_IN:            reconnect,
	p11.CKR_OBJECT_HANDLE_INVALID:         reconnect,
	p11.CKR_KEY_HANDLE_INVALID:            reconnect,
	p11.CKR_WRAPPING_KEY_HANDLE_INVALID:   reconnect,
	p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID: reconnect,
	p11.CKR_GENERAL_ERROR:                 reconnect,
	p11.CKR_FUNCTION_FAILED:               reconnect,
	p11.CKR_DEVICE_MEMORY:                 reconnect, // drops the session objects

	p11.CKR_CRYPTOKI_NOT_INITIALIZED: reinitialize,
	p11.CKR_DEVICE_ERROR:             reinitialize,
	p11.CKR_DEVICE_REMOVED:           reinitialize,
	p11.CKR_TOKEN_NOT_PRESENT:        reinitialize,
	p11.CKR_TOKEN_NOT_RECOGNIZED:     reinitialize,
	p11.CKR_SLOT_ID_INVALID:          reinitialize,

	p11.CKR_PIN_INCORRECT:            dead,
	p11.CKR_PIN_INVALID:              dead,
	p11.CKR_PIN_LEN_RANGE:            dead,
	p11.CKR_PIN_EXPIRED:              dead,
	p11.CKR_PIN_LOCKED:               dead,
	p11.CKR_USER_PIN_NOT_INITIALIZED: dead,
	p11.CKR_FIPS_SELF_TEST_FAILED:    dead,
}

// unsupported are the codes of a token that works but cannot do what we ask.
var unsupported = map[uint]bool{
	p11.CKR_FUNCTION_NOT_SUPPORTED:           true,
	p11.CKR_MECHANISM_INVALID:                true,
	p11.CKR_MECHANISM_PARAM_INVALID:          true,
	p11.CKR_ATTRIBUTE_READ_ONLY:              true,
	p11.CKR_ATTRIBUTE_TYPE_INVALID:           true,
	p11.CKR_ATTRIBUTE_VALUE_INVALID:          true,
	p11.CKR_TEMPLATE_INCOMPLETE:              true,
	p11.CKR_TEMPLATE_INCONSISTENT:            true,
	p11.CKR_KEY_FUNCTION_NOT_PERMITTED:       true,
	p11.CKR_KEY_NOT_WRAPPABLE:                true,
	p11.CKR_KEY_UNEXTRACTABLE:                true,
	p11.CKR_KEY_SIZE_RANGE:                   true,
	p11.CKR_KEY_TYPE_INCONSISTENT:            true,
	p11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT:   true,
	p11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: true,
	p11.CKR_CURVE_NOT_SUPPORTED:              true,
	p11.CKR_DOMAIN_PARAMS_INVALID:            true,
	p11.CKR_ACTION_PROHIBITED:                true,
}

// sentinel is the error of package hsm that a code stands for where nothing is
// known of the call.
func sentinel(code uint) error {
	if unsupported[code] {
		return hsm.ErrUnsupported
	}
	return hsm.ErrUnavailable
}

// code answers the CKR code of an error, CKR_OK where it has none.
func code(err error) uint {
	var failed *hsm.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return p11.CKR_OK
}

// function answers the PKCS#11 function that failed, "" where none did.
func function(err error) string {
	var failed *hsm.Error
	if errors.As(err, &failed) {
		return failed.Op
	}
	return ""
}

const beginDecryption = "C_DecryptInit"

// refusesMechanism says whether a C_DecryptInit failed for its mechanism or
// parameter. SoftHSM 2.6.1 has CKR_ARGUMENTS_BAD for OAEP with SHA-256.
func refusesMechanism(err error) bool {
	if function(err) != beginDecryption {
		return false
	}
	c := code(err)
	return c == p11.CKR_ARGUMENTS_BAD || c == p11.CKR_MECHANISM_INVALID || c == p11.CKR_MECHANISM_PARAM_INVALID
}

func classify(err error) class {
	switch {
	case errors.Is(err, errLost):
		return reconnect
	case errors.Is(err, hsm.ErrUnavailable):
		return classes[code(err)]
	default: // the user's mistake, a timeout, a closed partition
		return done
	}
}

// blame answers err with sentinel in place of what the code stands for.
func blame(err error, sentinel error) error {
	var failed *hsm.Error
	if !errors.As(err, &failed) {
		return err
	}
	return &hsm.Error{Op: failed.Op, Code: failed.Code, Err: sentinel}
}

// verdict says whose fault a failed C_Decrypt or C_UnwrapKey is. Without a
// failure it is the device's, which has nothing to it.
type verdict int

const (
	device verdict = iota
	input
	unclear // the module has one code for both
)

// judge tells from the code of a failed C_Decrypt or C_UnwrapKey whether the
// data were wrong. SoftHSM 2.6.1 answers CKR_GENERAL_ERROR for a GCM tag or a
// key wrapping that does not authenticate, and CKR_FUNCTION_FAILED for PKCS#8
// that does not parse.
func judge(err error) verdict {
	if function(err) == beginDecryption {
		return device // it has not seen the data yet
	}
	switch code(err) {
	case p11.CKR_ENCRYPTED_DATA_INVALID, p11.CKR_ENCRYPTED_DATA_LEN_RANGE, aeadDecryptFailed,
		p11.CKR_DATA_INVALID, p11.CKR_DATA_LEN_RANGE, p11.CKR_SIGNATURE_INVALID, p11.CKR_SIGNATURE_LEN_RANGE,
		p11.CKR_WRAPPED_KEY_INVALID, p11.CKR_WRAPPED_KEY_LEN_RANGE,
		p11.CKR_KEY_SIZE_RANGE, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID:
		return input
	case p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED, p11.CKR_ARGUMENTS_BAD:
		return unclear
	default:
		return device
	}
}

// aeadDecryptFailed is CKR_AEAD_DECRYPT_FAILED (PKCS #11 v3.0 §5.1.6).
const aeadDecryptFailed = 0x42
