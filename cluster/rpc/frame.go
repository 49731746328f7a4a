package rpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// A frame on the wire, integers in network byte order:
//
//	0        4                  12    13         17
//	| length | call id          | tag | time     | body …
//
// length counts what follows it. The tag of a call is its method and time is
// how many milliseconds its caller still waits. The tag of an answer is a Code,
// time is 0, and the body of a refusal is its text.
const (
	lengthSize = 4
	headSize   = 8 + 1 + 4
)

type frame struct {
	id   uint64
	tag  uint8
	time uint32
	body []byte
}

// writeFrame writes a frame and flushes it.
func writeFrame(w *bufio.Writer, f frame) error {
	if len(f.body) > MaxBody {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(f.body))
	}
	var head [lengthSize + headSize]byte
	binary.BigEndian.PutUint32(head[0:], uint32(headSize+len(f.body)))
	binary.BigEndian.PutUint64(head[4:], f.id)
	head[12] = f.tag
	binary.BigEndian.PutUint32(head[13:], f.time)
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	if _, err := w.Write(f.body); err != nil {
		return err
	}
	return w.Flush()
}

// readFrame reads a frame. The body is its own memory.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [lengthSize + headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	length := binary.BigEndian.Uint32(head[0:])
	if length < headSize || length > headSize+MaxBody {
		return frame{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, length)
	}
	f := frame{
		id:   binary.BigEndian.Uint64(head[4:]),
		tag:  head[12],
		time: binary.BigEndian.Uint32(head[13:]),
		body: make([]byte, length-headSize),
	}
	_, err := io.ReadFull(r, f.body)
	return f, err
}
