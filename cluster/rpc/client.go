package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"
)

// Client calls one peer. It connects when it is first used and again after a
// failure. It is safe for concurrent use.
type Client struct {
	dial func(ctx context.Context) (net.Conn, error)

	// dialing is held by the caller that connects.
	dialing chan struct{}

	mu     sync.Mutex
	conn   *clientConn // nil where there is none
	closed bool
}

// NewClient makes a client of the peer that dial reaches.
func NewClient(dial func(ctx context.Context) (net.Conn, error)) *Client {
	return &Client{dial: dial, dialing: make(chan struct{}, 1)}
}

// Call sends a body and answers the peer's. The error is ErrNotSent, ErrLost, an
// *Error of the peer, or ctx's: after ErrLost and ctx's the peer may have seen
// the call.
func (c *Client) Call(ctx context.Context, method Method, body []byte) ([]byte, error) {
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	call, err := conn.send(method, remaining(ctx), body)
	if err != nil {
		return nil, err
	}
	select {
	case <-call.done:
		return call.body, call.err
	case <-ctx.Done():
		conn.forget(call, errors.Is(ctx.Err(), context.DeadlineExceeded))
		return nil, ctx.Err()
	}
}

// Close ends the connection; running and later calls fail.
func (c *Client) Close() {
	c.mu.Lock()
	conn := c.conn
	c.conn, c.closed = nil, true
	c.mu.Unlock()
	if conn != nil {
		conn.fail(net.ErrClosed)
	}
}

// connection answers the living connection, making one where there is none.
func (c *Client) connection(ctx context.Context) (*clientConn, error) {
	if conn, err := c.living(); conn != nil || err != nil {
		return conn, err
	}
	select {
	case c.dialing <- struct{}{}:
		defer func() { <-c.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if conn, err := c.living(); conn != nil || err != nil {
		return conn, err
	}
	raw, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := newClientConn(raw)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		conn.fail(net.ErrClosed)
		return nil, net.ErrClosed
	}
	c.conn = conn
	c.mu.Unlock()
	return conn, nil
}

func (c *Client) living() (*clientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	if c.conn != nil && c.conn.broken() {
		c.conn = nil
	}
	return c.conn, nil
}

// remaining is how many milliseconds are left of ctx, rounded up.
func remaining(ctx context.Context) uint32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxUint32
	}
	ms := (time.Until(deadline) + time.Millisecond - 1).Milliseconds()
	return uint32(min(max(ms, 0), math.MaxUint32))
}
