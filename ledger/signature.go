package ledger

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// keyType is the signature type of a note's key (C2SP signed-note).
type keyType byte

const (
	// logKey signs a note's text, in the name of the ledger.
	logKey keyType = 0x01
	// cosignerKey signs the text with a time, in the name of one node, as
	// cosignature/v1 (C2SP tlog-cosignature).
	cosignerKey keyType = 0x04
)

// key is a note's key. A node has one Ed25519 key and two of these: what the
// types sign begins differently, so that no signature of one is one of the
// other.
type key struct {
	name   string
	kind   keyType
	public ed25519.PublicKey
}

// Name implements note.Verifier and note.Signer.
func (k key) Name() string { return k.name }

// KeyHash implements note.Verifier and note.Signer.
func (k key) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(k.name+"\n"), k.material()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (k key) material() []byte { return append([]byte{byte(k.kind)}, k.public...) }

// String is the key as a verifier key (C2SP signed-note, "Verifier keys").
func (k key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.KeyHash(), base64.StdEncoding.EncodeToString(k.material()))
}

// Verify implements note.Verifier.
func (k key) Verify(text, signature []byte) bool {
	if k.kind == logKey {
		return ed25519.Verify(k.public, text, signature)
	}
	if len(signature) != timestampSize+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	return at < 1<<63 && ed25519.Verify(k.public, cosigned(at, text), signature[timestampSize:])
}

const timestampSize = 8 // bytes

// cosigned is what a cosignature of a time, in Unix seconds, signs.
func cosigned(at uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), text...)
}

// validName says whether a key may have a name, as note.Sign does.
func validName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "+ \t\r\n")
}

// ParseVerifierKey reads a verifier key of either type. It answers ErrMalformed.
func ParseVerifierKey(text string) (note.Verifier, error) { return parseKey(text) }

func parseKey(text string) (key, error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, material, ok := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(material)
	if !ok || err != nil || !validName(name) || len(raw) != 1+ed25519.PublicKeySize {
		return key{}, fmt.Errorf("%w: %q is no verifier key", ErrMalformed, text)
	}
	k := key{name: name, kind: keyType(raw[0]), public: raw[1:]}
	if k.kind != logKey && k.kind != cosignerKey {
		return key{}, fmt.Errorf("%w: verifier key %q is of an unknown type", ErrMalformed, text)
	}
	if fmt.Sprintf("%08x", k.KeyHash()) != hash {
		return key{}, fmt.Errorf("%w: verifier key %q has a wrong hash", ErrMalformed, text)
	}
	return k, nil
}

// LogKey is a node's verifier key for signatures in the name of the ledger.
func LogKey(origin string, public ed25519.PublicKey) string {
	return key{origin, logKey, public}.String()
}

// CosignerKey is a node's verifier key for its cosignatures.
func CosignerKey(origin, node string, public ed25519.PublicKey) string {
	return key{cosignerName(origin, node), cosignerKey, public}.String()
}

func cosignerName(origin, node string) string { return origin + "/" + node }

// Sign signs a checkpoint by a node's Ed25519 key, twice: in the name of the
// ledger, and as a cosignature of the node at a time. It answers the note with
// these two signatures.
func Sign(c Checkpoint, node string, private crypto.Signer, now time.Time) ([]byte, error) {
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("ledger: the key is no Ed25519 key")
	}
	return note.Sign(&note.Note{Text: c.String()},
		signer{key{c.Origin, logKey, public}, private, now},
		signer{key{cosignerName(c.Origin, node), cosignerKey, public}, private, now})
}

// signer is a note.Signer.
type signer struct {
	key
	private crypto.Signer
	now     time.Time
}

// Sign implements note.Signer.
func (s signer) Sign(text []byte) ([]byte, error) {
	if s.kind == logKey {
		return s.private.Sign(nil, text, crypto.Hash(0))
	}
	at := uint64(max(s.now.Unix(), 0))
	signature, err := s.private.Sign(nil, cosigned(at, text), crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint64(nil, at), signature...), nil
}
