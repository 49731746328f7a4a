// Package hsm is Cofre's view of a hardware security module partition: what a
// node asks of it, the formats of what it returns, and the errors it answers
// with. The implementations are hsm/soft (embedded, pure Go) and hsm/pkcs11.
//
// The package does no I/O of its own, knows nothing of Raft, and of AWS no more
// than how its ciphertexts and identifiers look ([Blob]). It is safe because key
// material crosses its interfaces only as [WrappedKey]: wrapped, inside the
// partition, under the cluster's domain key. DESIGN.md argues the choices.
package hsm

import (
	"context"
	"crypto"
)

// Partition is one node's HSM partition. Implementations are safe for
// concurrent use. Every method that takes a context returns before its deadline
// plus a small grace, with [ErrTimeout], even when the device hangs.
type Partition interface {
	Token
	Domain
	Keys
}

// Token is the partition itself.
type Token interface {
	// Info describes the partition; it is constant while the partition is open.
	Info() Info
	// Check does real work with the domain key and says whether the partition is
	// able to serve. It is nil, or an error that wraps ErrUnavailable, ErrTimeout
	// or ErrNoDomain.
	Check(ctx context.Context) error
	// Random fills b from the partition's random number generator.
	Random(ctx context.Context, b []byte) error
	// Identity is the node's ECDSA P-256 identity key, a token object that was
	// made when the partition was first opened and never leaves it. Sign takes a
	// SHA-256 digest and answers an ASN.1 signature.
	Identity() crypto.Signer
	// Close releases the device. Calls after it return ErrClosed.
	Close() error
}

// Generation numbers the domain keys of a cluster from 1 upwards.
type Generation uint32

// Domain manages the domain keys: AES-256 keys, one a generation, the same in
// every partition of a cluster, that wrap the material of all other keys.
type Domain interface {
	// Generations lists the domain keys that the partition holds with their key
	// check values: the first three bytes of AES_K(0^128), in upper-case hex
	// (GlobalPlatform Card Specification v2.3 §B.5).
	Generations(ctx context.Context) (map[Generation]string, error)
	// CreateDomain generates the domain key of one generation inside the
	// partition. It fails with ErrExists where the generation is there already.
	CreateDomain(ctx context.Context, g Generation) error
	// TransportKey answers the partition's RSA-3072 transport key as a DER
	// SubjectPublicKeyInfo, making the key first where there is none.
	TransportKey(ctx context.Context) ([]byte, error)
	// ExportDomain wraps a domain key, inside the partition, to another
	// partition's transport key (RSAES-OAEP, SHA-1, MGF1-SHA-1: the parameters
	// that every PKCS#11 module has; OAEP does not rest on collision resistance).
	ExportDomain(ctx context.Context, g Generation, transport []byte) ([]byte, error)
	// ImportDomain unwraps what ExportDomain of another partition returned into a
	// sensitive token object. Importing the same key again changes nothing;
	// another key under a generation that is present is ErrExists.
	ImportDomain(ctx context.Context, g Generation, wrapped []byte) error
}

// Keys makes and uses wrapped keys. Handles of unwrapped keys are cached inside
// the partition, bounded; callers need not care.
type Keys interface {
	// GenerateKey makes a key inside the partition and wraps it under the domain
	// key of generation g. A spec outside Info().Specs is ErrUnsupported.
	GenerateKey(ctx context.Context, g Generation, spec KeySpec) (WrappedKey, error)
	// Encrypt seals plaintext with a SYMMETRIC_DEFAULT key, using the derivation
	// that Info().Derivation names, and authenticates aad.
	Encrypt(ctx context.Context, key WrappedKey, plaintext, aad []byte) (Sealed, error)
	// Decrypt opens what Encrypt of any partition of the domain returned. It
	// answers ErrInvalidCiphertext when the ciphertext, key or aad do not match.
	Decrypt(ctx context.Context, key WrappedKey, sealed Sealed, aad []byte) ([]byte, error)
	// Sign signs a digest. Now: ECC_NIST_P256 with ECDSA_SHA_256, a 32-byte digest
	// and an ASN.1 signature.
	Sign(ctx context.Context, key WrappedKey, alg SigningAlgorithm, digest []byte) ([]byte, error)
}

// KeySpec is an AWS KMS KeySpec.
type KeySpec string

// SigningAlgorithm is an AWS KMS SigningAlgorithmSpec.
type SigningAlgorithm string

// The key specs and algorithms that partitions know.
const (
	SymmetricDefault KeySpec = "SYMMETRIC_DEFAULT"
	ECCNistP256      KeySpec = "ECC_NIST_P256"

	ECDSASHA256 SigningAlgorithm = "ECDSA_SHA_256"
)

// WrappedKey is key material wrapped under a domain key with AES Key Wrap with
// Padding (RFC 5649, CKM_AES_KEY_WRAP_PAD): the raw value of a secret key, the
// PKCS#8 DER of a private key. It is the only form in which key material leaves
// a partition, and holds nothing that is secret without the domain key.
type WrappedKey struct {
	Generation Generation `cbor:"1,keyasint"`
	Spec       KeySpec    `cbor:"2,keyasint"`
	Wrapped    []byte     `cbor:"3,keyasint"`
	Public     []byte     `cbor:"4,keyasint,omitempty"` // DER SubjectPublicKeyInfo of a private key
}

// Derivation says how the key and nonce that seal one message come from the
// wrapped key.
type Derivation uint8

// DerivationXAES is XAES-256-GCM (C2SP xaes-256-gcm): the derived key is
// AES_K(M1 xor K1) || AES_K(M2 xor K1), where the M hold nonce[:12]; AES-GCM
// then runs with nonce[12:]. On PKCS#11 it is CKM_AES_ECB_ENCRYPT_DATA.
const DerivationXAES Derivation = 1

// NonceSize is the length of a nonce in bytes (C2SP xaes-256-gcm).
const NonceSize = 24

// TagSize is the length of an authentication tag in bytes.
const TagSize = 16

// Sealed is an encrypted message.
type Sealed struct {
	Derivation Derivation      `cbor:"1,keyasint"`
	Nonce      [NonceSize]byte `cbor:"2,keyasint"`
	Body       []byte          `cbor:"3,keyasint"` // ciphertext followed by the tag
}

// Info describes a partition.
type Info struct {
	Kind       string     // "soft" or "pkcs11"
	Label      string     // the token's label
	Maker      string     // manufacturer and model, as the token gives them
	Serial     string     // the token's serial number
	Hardware   bool       // false for hsm/soft, which says at start that it is no HSM
	Specs      []KeySpec  // what GenerateKey can make
	Derivation Derivation // what Encrypt uses
}

// Can says whether the partition makes keys of a spec.
func (i Info) Can(spec KeySpec) bool {
	for _, s := range i.Specs {
		if s == spec {
			return true
		}
	}
	return false
}
