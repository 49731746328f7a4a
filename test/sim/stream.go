package sim

import (
	"io"
	"net"
	"os"
	"time"
)

// stream is one direction of a connection. The network's mu guards it.
type stream struct {
	from, to string
	chunks   []chunk
	last     time.Time // when the newest chunk comes

	// doom is when the reader gets cause whatever lies in the queue; zero is never.
	// A tentative one passes when the path is mended in time.
	doom      time.Time
	cause     error
	tentative bool

	wake chan struct{} // of the reader; holds one
}

// chunk is what one Write sent; nil data is the end of the stream.
type chunk struct {
	at   time.Time
	data []byte
}

func newStream(from, to string) *stream {
	return &stream{from: from, to: to, wake: make(chan struct{}, 1)}
}

func (s *stream) crosses(from, to string) bool { return s.from == from && s.to == to }

func (s *stream) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// die ends the stream at a time, unless it ends before.
func (s *stream) die(at time.Time, cause error) {
	if s.doom.IsZero() || s.tentative || at.Before(s.doom) {
		s.doom, s.cause, s.tentative = at, cause, false
	}
	s.poke()
}

func (s *stream) dead(now time.Time) bool { return !s.doom.IsZero() && !now.Before(s.doom) }

// conn is one end of a connection, a net.Conn. One goroutine reads at a time.
type conn struct {
	network       *Network
	in, out       *stream
	local, remote net.Addr

	// Guarded by the network's mu.
	closed   bool
	deadline time.Time // for reading; writing never waits
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, wait, changed, err := c.poll(p)
		if n > 0 || err != nil {
			return n, err
		}
		var timer *time.Timer
		var due <-chan time.Time
		if wait > 0 {
			timer = time.NewTimer(wait)
			due = timer.C
		}
		select {
		case <-c.in.wake:
		case <-changed:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// poll takes what has come. Where nothing has, it says how long until something
// can happen by itself, 0 where nothing will, and what else to wait for.
func (c *conn) poll(p []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed:
		return 0, 0, nil, net.ErrClosed
	case c.in.dead(now):
		return 0, 0, nil, c.in.cause
	case !c.deadline.IsZero() && !now.Before(c.deadline):
		return 0, 0, nil, os.ErrDeadlineExceeded
	}
	var next time.Time
	if cut := c.network.link(c.in.from, c.in.to).cuts > 0; cut {
		changed = c.network.changed
	} else if len(c.in.chunks) > 0 {
		if next = c.in.chunks[0].at; !now.Before(next) {
			n, err = c.in.take(p)
			return n, 0, nil, err
		}
	}
	next = earliest(earliest(next, c.deadline), c.in.doom)
	if !next.IsZero() {
		wait = next.Sub(now)
	}
	return 0, wait, changed, nil
}

// take reads from the first chunk. The end stays in the queue.
func (s *stream) take(p []byte) (int, error) {
	head := &s.chunks[0]
	if head.data == nil {
		return 0, io.EOF
	}
	n := copy(p, head.data)
	if head.data = head.data[n:]; len(head.data) == 0 {
		s.chunks = s.chunks[1:]
	}
	return n, nil
}

// earliest is the earlier of two times, of which a zero one never comes.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Write implements net.Conn. It never waits: what the peer does not read lies in
// the queue.
func (c *conn) Write(p []byte) (int, error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	switch now := time.Now(); {
	case c.closed:
		return 0, net.ErrClosed
	case c.in.dead(now): // of a connection that is dead, both directions are
		return 0, c.in.cause
	}
	if len(p) > 0 {
		c.send(append([]byte(nil), p...))
	}
	return len(p), nil
}

func (c *conn) send(data []byte) {
	n, now := c.network, time.Now()
	l := n.link(c.out.from, c.out.to)
	at := now.Add(l.delay)
	if l.jitter > 0 {
		at = at.Add(time.Duration(n.rng.Int64N(int64(l.jitter))))
	}
	for again := retransmit; l.loss > 0 && n.rng.Float64() < l.loss && again < keepAlive; again *= 2 {
		at = at.Add(again)
	}
	if at.Before(c.out.last) {
		at = c.out.last
	}
	c.out.last = at
	c.out.chunks = append(c.out.chunks, chunk{at: at, data: data})
	c.out.poke()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	delete(c.network.streams, c.in)
	c.in.chunks = nil
	c.in.poke()
	c.send(nil)
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.deadline = t
	c.in.poke()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
