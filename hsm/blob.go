package hsm

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Blob is a ciphertext as clients of the AWS KMS API store it. It tells which
// key and which of its materials opens it, so that Decrypt needs no key name,
// and is worth nothing without them.
//
// Its bytes, big-endian, version 1:
//
//	 0      1      2         10         26            58           59      83
//	┌──────┬──────┬─────────┬──────────┬─────────────┬────────────┬───────┬──────────────┐
//	│ 0x01 │flags │ account │ key UUID │ material id │ derivation │ nonce │ text ‖ tag   │
//	│  1   │  1   │    8    │    16    │     32      │     1      │  24   │ n ‖ 16       │
//	└──────┴──────┴─────────┴──────────┴─────────────┴────────────┴───────┴──────────────┘
//	└───────────────────────── header ────────────────────────────┘
//
// Bit 0 of flags is set where the key is a multi-Region key; bit 1 where the key is
// in a custom key store, and an envelope of that store's stands in the place of
// nonce, text and tag; the others are zero. The header is authenticated as the beginning of the aad; the nonce is
// not in it, because sealing chooses it, and GCM authenticates it anyway. There
// is one encoding of a Blob: what ParseBlob accepts, Marshal gives back.
type Blob struct {
	Account  AccountID
	Key      KeyID
	Material [MaterialIDSize]byte
	Sealed
	// Envelope is what a custom key store made, of Sealed or of the plaintext itself;
	// nil of every other key. Its form is the caller's business. Where it is set the
	// blob has none of Sealed but the derivation.
	Envelope []byte
}

const (
	// MaterialIDSize is the length in bytes of a key material's id, 64 hex digits
	// in the API.
	MaterialIDSize = 32
	// BlobHeaderSize is the length in bytes of [Blob.Header].
	BlobHeaderSize = 2 + 8 + keyIDSize + MaterialIDSize + 1
	// MaxBlobSize is the length in bytes of the largest blob that parses: the
	// limit of CiphertextBlob in the AWS KMS API model.
	MaxBlobSize = 6144

	blobVersion     = 1
	blobMultiRegion = 1 << 0
	blobEnvelope    = 1 << 1
	blobMinSize     = BlobHeaderSize + NonceSize + TagSize
)

// Header is the beginning of the blob up to its nonce or envelope. It is what goes
// in front of the encryption context in the aad; Envelope, if there is going to be
// one, must not be nil by then. Sealed.Derivation must be set (from
// Info().Derivation, before Encrypt). The slice is the caller's.
func (b *Blob) Header() []byte { return b.AppendHeader(make([]byte, 0, BlobHeaderSize)) }

// AppendHeader appends what Header returns to dst.
func (b *Blob) AppendHeader(dst []byte) []byte {
	var flags byte
	if b.Key.MultiRegion {
		flags |= blobMultiRegion
	}
	if b.Envelope != nil {
		flags |= blobEnvelope
	}
	dst = append(dst, blobVersion, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(b.Account))
	dst = append(dst, b.Key.UUID[:]...)
	dst = append(dst, b.Material[:]...)
	return append(dst, byte(b.Derivation))
}

// Marshal encodes the blob.
func (b *Blob) Marshal() []byte {
	out := make([]byte, 0, BlobHeaderSize+NonceSize+len(b.Body))
	out = b.AppendHeader(out)
	if b.Envelope != nil {
		return append(out, b.Envelope...)
	}
	out = append(out, b.Nonce[:]...)
	return append(out, b.Body...)
}

// ParseBlob decodes a blob. Every failure wraps [ErrInvalidCiphertext]. Body
// and Envelope alias data.
func ParseBlob(data []byte) (*Blob, error) {
	switch {
	case len(data) < blobMinSize:
		return nil, fmt.Errorf("blob of %d bytes is too short: %w", len(data), ErrInvalidCiphertext)
	case len(data) > MaxBlobSize:
		return nil, fmt.Errorf("blob of %d bytes is too long: %w", len(data), ErrInvalidCiphertext)
	case data[0] != blobVersion:
		return nil, fmt.Errorf("blob version %d is unknown: %w", data[0], ErrInvalidCiphertext)
	case data[1]&^(blobMultiRegion|blobEnvelope) != 0:
		return nil, fmt.Errorf("blob flags %#02x are unknown: %w", data[1], ErrInvalidCiphertext)
	}
	b := &Blob{
		Account: AccountID(binary.BigEndian.Uint64(data[2:])),
		Key:     KeyID{MultiRegion: data[1]&blobMultiRegion != 0},
	}
	rest := data[10:]
	rest = rest[copy(b.Key.UUID[:], rest):]
	rest = rest[copy(b.Material[:], rest):]
	b.Derivation, rest = Derivation(rest[0]), rest[1:]
	if data[1]&blobEnvelope != 0 {
		b.Envelope = rest
	} else {
		b.Body = rest[copy(b.Nonce[:], rest):]
	}
	if b.Account > maxAccountID {
		return nil, fmt.Errorf("blob account %d is none: %w", b.Account, ErrInvalidCiphertext)
	}
	if b.Derivation != DerivationXAES {
		return nil, fmt.Errorf("blob derivation %d is unknown: %w", b.Derivation, ErrInvalidCiphertext)
	}
	return b, nil
}

// AccountID is an AWS account id, a number of 12 decimal digits with its
// leading zeros.
type AccountID uint64

const (
	accountDigits            = 12
	maxAccountID   AccountID = 999_999_999_999
	keyIDSize                = 16
	multiRegionPre           = "mrk-"
)

// ParseAccountID reads 12 digits.
func ParseAccountID(s string) (AccountID, error) {
	n, err := strconv.ParseUint(s, 10, 64) // refuses signs
	if err != nil || len(s) != accountDigits {
		return 0, fmt.Errorf("account id %q is not %d digits", s, accountDigits)
	}
	return AccountID(n), nil
}

// String is the account id as its 12 digits.
func (a AccountID) String() string { return fmt.Sprintf("%0*d", accountDigits, uint64(a)) }

// KeyID is an AWS KMS key id: a UUID, or "mrk-" and 32 hexadecimal digits for a
// multi-Region key, lower case.
type KeyID struct {
	MultiRegion bool
	UUID        [keyIDSize]byte
}

// ParseKeyID reads a key id in exactly the form that String gives.
func ParseKeyID(s string) (KeyID, error) {
	var id KeyID
	digits := s
	switch {
	case len(s) == len(multiRegionPre)+2*keyIDSize && s[:len(multiRegionPre)] == multiRegionPre:
		id.MultiRegion = true
		digits = s[len(multiRegionPre):]
	case len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-':
		digits = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	raw, err := hex.DecodeString(digits)
	if err == nil && len(raw) == keyIDSize {
		copy(id.UUID[:], raw)
		if id.String() == s {
			return id, nil
		}
	}
	return KeyID{}, fmt.Errorf("key id %q is neither a UUID nor mrk- and 32 hexadecimal digits", s)
}

// String is the key id as the API writes it.
func (id KeyID) String() string {
	h := hex.EncodeToString(id.UUID[:])
	if id.MultiRegion {
		return multiRegionPre + h
	}
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
