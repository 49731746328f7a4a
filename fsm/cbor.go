package fsm

import (
	"encoding/binary"
	"math/bits"
)

// Major types of CBOR (RFC 8949 §3.1) that commands consist of, and null.
const (
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	cborNull   = 7<<5 | 22

	itemOverhead = 9 // bytes of the longest head
)

// appendHead appends the head of a data item in its shortest form, which core
// deterministic encoding demands (RFC 8949 §4.2.1).
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= 0xff:
		return append(b, major|24, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}

func appendBytes[T []byte | Key](b []byte, v T) []byte {
	return append(appendHead(b, majorBytes, uint64(len(v))), v...)
}

// cborReader reads data items off a buffer without copying. The first item that
// is not what was asked for sets failed, and everything after it reads as zero:
// who reads checks once, at the end.
type cborReader struct {
	rest   []byte
	failed bool
}

func (r *cborReader) fail() {
	r.rest, r.failed = nil, true
}

// head reads the head of an item of a major type.
func (r *cborReader) head(major byte) uint64 {
	if len(r.rest) == 0 || r.rest[0]&0xe0 != major {
		r.fail()
		return 0
	}
	info := r.rest[0] & 0x1f
	if info < 24 {
		r.rest = r.rest[1:]
		return uint64(info)
	}
	if info > 27 { // indefinite lengths are not deterministic
		r.fail()
		return 0
	}
	size := 1 << (info - 24)
	if len(r.rest) < 1+size {
		r.fail()
		return 0
	}
	var n uint64
	for _, c := range r.rest[1 : 1+size] {
		n = n<<8 | uint64(c)
	}
	if !shortest(n, size) {
		r.fail()
		return 0
	}
	r.rest = r.rest[1+size:]
	return n
}

// shortest says whether an argument needs the bytes it was given.
func shortest(n uint64, size int) bool {
	if size == 1 {
		return n >= 24
	}
	return bits.Len64(n) > size*8/2
}

func (r *cborReader) uint() uint64 { return r.head(majorUint) }

// array reads the head of an array of at most limit items.
func (r *cborReader) array(limit int) int {
	n := r.head(majorArray)
	if n > uint64(limit) {
		r.fail()
		return 0
	}
	return int(n)
}

// bytes reads a string of at most limit bytes. It aliases the buffer.
func (r *cborReader) bytes(major byte, limit int) []byte {
	n := r.head(major)
	if n > uint64(limit) || n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// null reads a null if it is next.
func (r *cborReader) null() bool {
	if len(r.rest) == 0 || r.rest[0] != cborNull {
		return false
	}
	r.rest = r.rest[1:]
	return true
}
