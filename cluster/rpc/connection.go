package rpc

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	bufferSize = 64 << 10
	// writeTimeout bounds the writing of one frame: a peer that takes nothing for
	// so long is gone.
	writeTimeout = 5 * time.Second
	// silence is how long a call that was given up may have gone without a word
	// from the peer before its connection is taken for dead. TCP itself would go
	// on for minutes: after a partition it retransmits ever more rarely, and
	// keep-alive does not run while data is unacknowledged (RFC 1122 §4.2.3.6).
	silence = time.Second
)

// clientConn is one connection of a Client with the calls that wait on it.
type clientConn struct {
	conn net.Conn

	writing sync.Mutex // held for a frame
	w       *bufio.Writer

	mu      sync.Mutex
	pending map[uint64]*call
	next    uint64 // id of the next call
	heard   uint64 // frames received
	err     error  // why it broke; nil while it lives
}

// call is one that waits for its answer. body and err are valid once done is
// closed.
type call struct {
	id    uint64
	heard uint64 // frames received on the connection when the call was sent
	sent  time.Time
	body  []byte
	err   error
	done  chan struct{}
}

func newClientConn(conn net.Conn) *clientConn {
	c := &clientConn{
		conn:    conn,
		w:       bufio.NewWriterSize(conn, bufferSize),
		pending: make(map[uint64]*call),
	}
	go c.read()
	return c
}

// send writes a call. Its error says whether the peer may have seen it.
func (c *clientConn) send(method Method, ms uint32, body []byte) (*call, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("%w: %w: %d bytes", ErrNotSent, ErrTooLarge, len(body))
	}
	waiting := &call{sent: time.Now(), done: make(chan struct{})}
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, fmt.Errorf("%w: %w", ErrNotSent, c.err)
	}
	c.next++
	waiting.id, waiting.heard = c.next, c.heard
	c.pending[waiting.id] = waiting
	c.mu.Unlock()

	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		err = writeFrame(c.w, frame{id: waiting.id, tag: uint8(method), time: ms, body: body})
	}
	if err != nil {
		c.fail(err)
	}
	return waiting, nil
}

// read delivers answers until the connection breaks.
func (c *clientConn) read() {
	r := bufio.NewReaderSize(c.conn, bufferSize)
	for {
		f, err := readFrame(r)
		if err != nil {
			c.fail(err)
			return
		}
		c.mu.Lock()
		c.heard++
		waiting := c.pending[f.id]
		delete(c.pending, f.id)
		c.mu.Unlock()
		if waiting == nil {
			continue // its caller gave up
		}
		if code := Code(f.tag); code == codeOK {
			waiting.body = f.body
		} else {
			waiting.err = &Error{Code: code, Text: string(f.body)}
		}
		close(waiting.done)
	}
}

// fail breaks the connection: every call on it is lost.
func (c *clientConn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	lost := c.pending
	c.pending = nil
	c.mu.Unlock()
	c.conn.Close()
	for _, waiting := range lost {
		waiting.err = fmt.Errorf("%w: %w", ErrLost, err)
		close(waiting.done)
	}
}

// forget stops waiting for a call. Where the call ran into its deadline, or has
// waited for as long as silence, and nothing at all was heard meanwhile, the
// connection is taken for dead.
func (c *clientConn) forget(waiting *call, late bool) {
	c.mu.Lock()
	delete(c.pending, waiting.id)
	silent := c.heard == waiting.heard && (late || time.Since(waiting.sent) >= silence)
	c.mu.Unlock()
	if silent {
		c.fail(ErrLost)
	}
}

func (c *clientConn) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}
