package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"net/http"
	"sync"

	"github.com/cofre-kms/cofre/server/call"
)

// SigningKey is a key derived from a secret for one day, region and service
// ("Calculate the signature", IAM user guide). It is safe for concurrent use.
type SigningKey struct {
	key  [sha256.Size]byte
	macs sync.Pool // of hash.Hash keyed with key: keying costs as much as the MAC
}

// Derive derives the key of a claim's day, region and service.
func Derive(secret []byte, c *Claim) *SigningKey {
	k := &SigningKey{}
	sum := mac(append([]byte("AWS4"), secret...), c.Date)
	sum = mac(sum, c.Region)
	sum = mac(sum, c.Service)
	copy(k.key[:], mac(sum, "aws4_request"))
	k.macs.New = func() any { return hmac.New(sha256.New, k.key[:]) }
	return k
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// scratch is the memory that one verification works in.
type scratch struct {
	text []byte
	sum  [sha256.Size]byte
	hex  [2 * sha256.Size]byte
}

var scratches = sync.Pool{New: func() any { return &scratch{text: make([]byte, 0, 1024)} }}

// Verify proves the claim of a request whose body has a SHA-256 hash, or answers
// the refusal that the client gets.
func (c *Claim) Verify(r *http.Request, bodyHash [sha256.Size]byte, key *SigningKey) *call.Error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	text, refusal := c.appendCanonical(s.text[:0], r, &bodyHash)
	s.text = text
	if refusal != nil {
		return refusal
	}
	canonicalHash := sha256.Sum256(s.text)
	return s.compare(c, &canonicalHash, key)
}

// verify is Verify of a request whose canonical form has a hash.
func (c *Claim) verify(canonicalHash *[sha256.Size]byte, key *SigningKey) *call.Error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	return s.compare(c, canonicalHash, key)
}

func (s *scratch) compare(c *Claim, canonicalHash *[sha256.Size]byte, key *SigningKey) *call.Error {
	s.text = c.appendStringToSign(s.text[:0], canonicalHash)

	h := key.macs.Get().(hash.Hash)
	h.Reset()
	h.Write(s.text)
	hex.Encode(s.hex[:], h.Sum(s.sum[:0]))
	key.macs.Put(h)
	if subtle.ConstantTimeCompare(s.hex[:], []byte(c.signature)) != 1 {
		return errMismatch
	}
	return nil
}

// appendStringToSign appends ("Create a string to sign", IAM user guide):
//
//	AWS4-HMAC-SHA256 \n date and time \n scope \n hex(SHA-256(canonical request))
func (c *Claim) appendStringToSign(b []byte, canonicalHash *[sha256.Size]byte) []byte {
	b = append(b, algorithm+"\n"...)
	b = append(b, c.stamp...)
	b = append(b, '\n')
	b = append(b, c.scope...)
	b = append(b, '\n')
	return hex.AppendEncode(b, canonicalHash[:])
}
