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
	"slices"
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
	// Notary is the node's Ed25519 key (RFC 8032) for the ledger's checkpoints, a
	// token object like Identity; nil where the token has no Ed25519. Sign takes
	// the message itself, with crypto.Hash(0).
	Notary() crypto.Signer
	Memory
	// Close releases the device. Calls after it return ErrClosed.
	Close() error
}

// Memory is a place in the partition for one small value that is not secret and
// outlives the node's disk.
type Memory interface {
	// Remember keeps a value of MaxMemory bytes at most in place of the one before,
	// which must be less, byte by byte: where a crash has left both, the greater one
	// counts.
	Remember(ctx context.Context, value []byte) error
	// Recall answers the value, nil where there is none.
	Recall(ctx context.Context) ([]byte, error)
}

// MaxMemory is the largest value, in bytes, that a partition remembers.
const MaxMemory = 1024

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
// the partition, bounded; callers need not care. Only private operations are
// here: what takes no more than a public key is done outside (hsm/algorithm).
type Keys interface {
	Maker
	Symmetric
	Private
}

// Maker makes wrapped keys.
type Maker interface {
	// GenerateKey makes a key inside the partition and wraps it under the domain
	// key of generation g. A spec outside Info().Specs is ErrUnsupported.
	GenerateKey(ctx context.Context, g Generation, spec KeySpec) (WrappedKey, error)
	// ImportKey takes in material that somebody encrypted to the public key of a
	// wrapping key, and wraps it under the domain key of generation g. It answers
	// the key and the material's fingerprint, which is the same in every partition
	// whenever the same material of the same spec is imported, and tells nothing
	// of it. Material that does not decrypt is ErrInvalidCiphertext; what decrypts
	// and is no material of spec is ErrInvalidKey.
	ImportKey(ctx context.Context, g Generation, spec KeySpec, in Import) (WrappedKey, Fingerprint, error)
}

// Symmetric uses secret keys.
type Symmetric interface {
	// Encrypt seals plaintext with a SYMMETRIC_DEFAULT key, using the derivation
	// that Info().Derivation names, and authenticates aad.
	Encrypt(ctx context.Context, key WrappedKey, plaintext, aad []byte) (Sealed, error)
	// Decrypt opens what Encrypt of any partition of the domain returned. It
	// answers ErrInvalidCiphertext when the ciphertext, key or aad do not match.
	Decrypt(ctx context.Context, key WrappedKey, sealed Sealed, aad []byte) ([]byte, error)
	// MAC answers the HMAC (FIPS 198-1) of a message under an HMAC_… key.
	MAC(ctx context.Context, key WrappedKey, alg MACAlgorithm, message []byte) ([]byte, error)
}

// Private uses private keys. An algorithm that does not go with the key's spec
// is ErrUnsupported.
type Private interface {
	// Sign signs what SigningAlgorithm says: a digest of the algorithm's length; for
	// ED25519_SHA_512 the message itself, for ED25519_PH_SHA_512 the 64-byte digest
	// (RFC 8032 Ed25519ph hashes the message with SHA-512; AWS hashes this digest once
	// more), for ML_DSA_SHAKE_256 the 64-byte message representative mu (FIPS 204
	// §6.2). ECDSA and SM2 signatures are ASN.1, ML-DSA and Ed25519 raw.
	Sign(ctx context.Context, key WrappedKey, alg SigningAlgorithm, digest []byte) ([]byte, error)
	// Open decrypts what was encrypted to the key's public key: RSAES-OAEP by an
	// RSA_… key, SM2PKE (ASN.1 form, GB/T 32918.4) by an SM2 key. What does not
	// decrypt is ErrInvalidCiphertext, without a difference in time that tells why.
	Open(ctx context.Context, key WrappedKey, alg EncryptionAlgorithm, ciphertext []byte) ([]byte, error)
	// Agree answers the shared secret of ECDH (SP 800-56A §5.7.1.2, the x-coordinate) with the
	// peer's public key, a DER SubjectPublicKeyInfo on the key's curve; another
	// one is ErrInvalidKey.
	Agree(ctx context.Context, key WrappedKey, peer []byte) ([]byte, error)
	// Decapsulate answers the 32-byte shared secret of an ML-KEM ciphertext (FIPS
	// 203 §7.3), with implicit rejection. A ciphertext of another length than the
	// key's is ErrInvalidCiphertext.
	Decapsulate(ctx context.Context, key WrappedKey, ciphertext []byte) ([]byte, error)
}

// Import is material on its way in.
type Import struct {
	Wrapping  WrappedKey        `cbor:"1,keyasint"` // RSA_… or SM2
	Algorithm WrappingAlgorithm `cbor:"2,keyasint"`
	Material  []byte            `cbor:"3,keyasint"` // encrypted: a secret key's value, a private key's PKCS#8 DER
}

// Fingerprint tells materials apart.
type Fingerprint [MaterialIDSize]byte

// KeySpec is an AWS KMS KeySpec.
type KeySpec string

// SigningAlgorithm is an AWS KMS SigningAlgorithmSpec.
type SigningAlgorithm string

// EncryptionAlgorithm is an AWS KMS EncryptionAlgorithmSpec.
type EncryptionAlgorithm string

// MACAlgorithm is an AWS KMS MacAlgorithmSpec.
type MACAlgorithm string

// WrappingAlgorithm is an AWS KMS AlgorithmSpec, of material to import.
type WrappingAlgorithm string

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
	Assisted   []KeySpec  // of Specs, those whose keys the device only keeps: they are used in the node's memory
	Derivation Derivation // what Encrypt uses
}

// Assists says whether keys of a spec are used in the node's memory, unwrapped
// for the moment of use (software_assisted), and not in the device.
func (i Info) Assists(spec KeySpec) bool { return slices.Contains(i.Assisted, spec) }

// Can says whether the partition makes keys of a spec.
func (i Info) Can(spec KeySpec) bool {
	return slices.Contains(i.Specs, spec)
}
