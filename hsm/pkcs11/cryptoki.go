package pkcs11

import (
	"github.com/cofre-kms/cofre/hsm"
)

// cryptoki is what the partition asks of a PKCS#11 module (PKCS #11 v2.40). Its
// failures are *hsm.Error with the function's name and CKR code. Any number of
// goroutines may call it, but only one at a time with the same session (§6.7.6).
// A call may take for ever.
type cryptoki interface {
	slotCalls
	sessionCalls
	objectCalls
	keyCalls
	messageCalls
}

// slotCalls need no session.
type slotCalls interface {
	Initialize() error
	Finalize() error
	// Slots lists the slots that hold a token.
	Slots() ([]uint, error)
	TokenInfo(slot uint) (tokenInfo, error)
	Mechanisms(slot uint) ([]uint, error)
}

type sessionCalls interface {
	// OpenSession opens a read/write session.
	OpenSession(slot uint) (sessionHandle, error)
	CloseSession(s sessionHandle) error
	// SessionInfo answers the session's slot, and whether the user is logged in.
	SessionInfo(s sessionHandle) (slot uint, loggedIn bool, err error)
	// Login logs the user in, for all sessions with the token.
	Login(s sessionHandle, pin string) error
	Random(s sessionHandle, n int) ([]byte, error)
}

type objectCalls interface {
	Find(s sessionHandle, template []attribute) ([]objectHandle, error)
	// Attribute answers nil for an attribute that the object lacks or hides.
	Attribute(s sessionHandle, o objectHandle, kind uint) ([]byte, error)
	// Value answers CKA_VALUE of a key that may be read, in memory that the caller
	// wipes and that no copy is left of.
	Value(s sessionHandle, o objectHandle) ([]byte, error)
	// Create leaves no copy of the template's values.
	Create(s sessionHandle, template []attribute) (objectHandle, error)
	Destroy(s sessionHandle, o objectHandle) error
}

type keyCalls interface {
	// GenerateKey and GenerateKeyPair take mechanisms without parameters.
	GenerateKey(s sessionHandle, mechanism uint, template []attribute) (objectHandle, error)
	GenerateKeyPair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error)
	Wrap(s sessionHandle, m mechanism, kek, key objectHandle) ([]byte, error)
	// Unwrap is not called with an empty wrapped.
	Unwrap(s sessionHandle, m mechanism, kek objectHandle, wrapped []byte, template []attribute) (objectHandle, error)
	// Derive is CKM_AES_ECB_ENCRYPT_DATA.
	Derive(s sessionHandle, base objectHandle, data []byte, template []attribute) (objectHandle, error)
	// DeriveECDH is CKM_ECDH1_DERIVE without a KDF; point is an uncompressed one.
	DeriveECDH(s sessionHandle, base objectHandle, point []byte, template []attribute) (objectHandle, error)
}

type messageCalls interface {
	// EncryptBlock is CKM_AES_ECB of one block.
	EncryptBlock(s sessionHandle, key objectHandle, block [16]byte) ([16]byte, error)
	// SealGCM and OpenGCM are CKM_AES_GCM with a tag of 128 bits, which follows
	// the ciphertext. Nonces have 12 bytes. They keep none of their arguments.
	SealGCM(s sessionHandle, key objectHandle, nonce, plaintext, aad []byte) ([]byte, error)
	OpenGCM(s sessionHandle, key objectHandle, nonce, ciphertext, aad []byte) ([]byte, error)
	// Sign signs data of some KiB at most, Decrypt decrypts as many. They keep
	// none of their arguments.
	Sign(s sessionHandle, m mechanism, key objectHandle, data []byte) ([]byte, error)
	Decrypt(s sessionHandle, m mechanism, key objectHandle, ciphertext []byte) ([]byte, error)
}

type (
	sessionHandle uint
	objectHandle  uint
)

// mechanism is a CK_MECHANISM.
type mechanism struct {
	number uint
	// hash is the hash (CKM_SHA…) of CKM_RSA_PKCS_OAEP, whose label is empty, and
	// of CKM_RSA_PKCS_PSS, whose salt is as long as it. MGF1 has the same hash.
	hash uint
	// prehash makes CKM_EDDSA Ed25519ph (CK_EDDSA_PARAMS, PKCS #11 v3.0 §2.3.5).
	prehash bool
}

// attribute is a CK_ATTRIBUTE; its value is a bool, uint, string or []byte.
type attribute struct {
	kind  uint
	value any
}

// tokenInfo is what we use of CK_TOKEN_INFO, without the padding.
type tokenInfo struct {
	label, manufacturer, model, serial string
	maxSessions                        uint // 0 where there is no limit
	// locked says that the user's PIN is locked, lastTry that the next wrong one
	// locks it (CKF_USER_PIN_LOCKED and CKF_USER_PIN_FINAL_TRY, PKCS #11 v2.40 §3.2).
	locked, lastTry bool
}

// failure is the error of a PKCS#11 function. Who knows that another is to
// blame than the device says so with blame.
func failure(function string, code uint) error {
	return &hsm.Error{Op: function, Code: code, Err: sentinel(code)}
}
