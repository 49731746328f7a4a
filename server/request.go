package server

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// body is the memory that a request's body is read into. It is wiped and used
// again: a body may hold plaintext.
type body struct {
	b    []byte
	gate *gate // that was passed because the body is large; nil otherwise
}

var bodies = sync.Pool{New: func() any { return &body{b: make([]byte, 0, 4096)} }}

// largeBody is the size beyond which bodies are few at a time, and what the pool
// holds on to: who calls is not known yet when a body is read, and strangers are
// not to fill the memory. Only key policies are so large.
const largeBody = 16 << 10

func newBody() *body { return bodies.Get().(*body) }

func (b *body) bytes() []byte { return b.b }

func (b *body) free() {
	clear(b.b)
	if b.gate != nil {
		b.gate.leave()
		b.gate = nil
	}
	if cap(b.b) <= largeBody {
		b.b = b.b[:0]
		bodies.Put(b)
	}
}

// read reads the body of a request, at most max bytes of it. It takes memory for
// what has come, not for what is announced.
func (b *body) read(r *http.Request, max int, large *gate) error {
	if r.ContentLength > int64(max) {
		return errTooLarge
	}
	for {
		if len(b.b) == cap(b.b) && !b.grow(large) {
			return errThrottled
		}
		n, err := r.Body.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case len(b.b) > max:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return errAborted
		}
	}
}

// grow doubles the memory, and answers false where there are large bodies
// enough.
func (b *body) grow(large *gate) bool {
	size := 2 * cap(b.b)
	if size > largeBody && b.gate == nil {
		if !large.enter() {
			return false
		}
		b.gate = large
	}
	larger := make([]byte, len(b.b), size)
	copy(larger, b.b)
	clear(b.b)
	b.b = larger
	return true
}

// newIDs draws a version 7 UUID (RFC 9562 §5.7) and a version 4 one (§5.4) at
// once. The request's id says when the request came, as its record does, which is
// how the record is found by it (package audit).
func newIDs(at time.Time) (requestID, eventID string) {
	var random [32]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at.UnixMilli(), 0)))
	copy(random[:6], ms[2:])
	var text [72]byte
	formatUUID(text[:36], random[:16], 7)
	formatUUID(text[36:], random[16:], 4)
	both := string(text[:])
	return both[:36], both[36:]
}

func formatUUID(text, b []byte, version byte) {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:36], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
}

// describe sets what the record says of an authenticated request.
func (x *exchange) describe(r *http.Request, region string) {
	c := &x.call
	c.Service, c.Operation, c.ReadOnly = x.op.service.name, x.op.Name, x.op.ReadOnly
	c.Region = region
	c.UserAgent, c.TLS = r.UserAgent(), tlsDetails(r)
}

// sourceIP is the address of host:port. No header is believed: whoever sends the
// request writes it.
func sourceIP(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i >= 0 {
		remote = remote[:i]
	}
	return strings.Trim(remote, "[]")
}
