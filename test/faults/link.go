package faults

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/cofre-kms/cofre/test/rig"
)

// link carries the connections that one end opens to the other: it listens where
// the first lives, at the address of the second, and dials where that lives.
type link struct {
	listener    net.Listener
	dial        func(context.Context) (net.Conn, error)
	forth, back *path
	ctx         context.Context // ends with the link
	end         context.CancelFunc
	wait        sync.WaitGroup
	mu          sync.Mutex
	conns       map[*carried]struct{}
}

// carried is one connection on a link, in its two halves.
type carried struct{ near, far *net.TCPConn }

// newLink makes a link from one place to another. A nil place is the test's own.
func newLink(from rig.Place, listen string, to rig.Place, addr string, forth, back *path) (*link, error) {
	l := &link{forth: forth, back: back, conns: make(map[*carried]struct{})}
	l.ctx, l.end = context.WithCancel(context.Background())
	err := in(from, func() (err error) {
		l.listener, err = net.Listen("tcp", listen)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.dial = func(ctx context.Context) (conn net.Conn, err error) {
		err = in(to, func() error {
			var dialer net.Dialer
			conn, err = dialer.DialContext(ctx, "tcp", addr)
			return err
		})
		return conn, err
	}
	l.wait.Go(l.accept)
	return l, nil
}

func in(place rig.Place, fn func() error) error {
	if place == nil {
		return fn()
	}
	return place.Do(fn)
}

func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.wait.Go(func() { l.carry(conn.(*net.TCPConn)) })
	}
}

// carry opens the far half once the handshake could pass, both ways, and carries
// until both directions have ended. Where nobody listens the near end is told so.
func (l *link) carry(near *net.TCPConn) {
	c := &carried{near: near}
	if !l.add(c) {
		reset(near)
		return
	}
	defer l.drop(c)
	if errors.Join(l.forth.awaitOpen(l.ctx), l.back.awaitOpen(l.ctx)) != nil {
		return
	}
	far, err := l.dial(l.ctx)
	if err != nil {
		return
	}
	l.mu.Lock()
	c.far = far.(*net.TCPConn)
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(near, c.far, l.forth) })
	both.Go(func() { l.pump(c.far, near, l.back) })
	both.Wait()
}

func (l *link) add(c *carried) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *link) drop(c *carried) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.reset()
}

// chunk is what was read, and when it arrives at the other end. Nothing read
// means that the sender has ended, well or not.
type chunk struct {
	bytes []byte
	due   time.Time
	err   error
}

// Bounds of what is under way on one direction of a connection.
const (
	chunkSize = 16 << 10
	underWay  = 16 // chunks
)

// pump carries one direction. The end of the stream travels as bytes do: behind
// a cut nobody learns that the other end has died.
func (l *link) pump(from, to *net.TCPConn, p *path) {
	chunks := make(chan chunk, underWay)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.deliver(chunks, from, to, p)
	}()
	var free time.Time // when the path has taken what was sent before
	for {
		buffer := make([]byte, chunkSize)
		n, err := from.Read(buffer)
		transit, occupied := p.latency(n)
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(occupied)
		chunks <- chunk{bytes: buffer[:n], due: free.Add(transit), err: err}
		if err != nil {
			break
		}
	}
	close(chunks)
	<-done
}

func (l *link) deliver(chunks <-chan chunk, from, to *net.TCPConn, p *path) {
	broken := false
	for c := range chunks {
		if broken {
			continue
		}
		l.sleepUntil(c.due)
		err := p.awaitOpen(l.ctx)
		if err == nil && len(c.bytes) > 0 {
			_, err = to.Write(c.bytes)
		}
		switch {
		case err != nil || c.err != nil && !errors.Is(c.err, io.EOF):
			reset(from)
			reset(to)
			broken = true
		case c.err != nil:
			_ = to.CloseWrite() // it may have ended
		}
	}
}

func (l *link) sleepUntil(due time.Time) {
	wait := time.Until(due)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// resetAll breaks all connections of the link, as a firewall that forgets them.
func (l *link) resetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.reset()
	}
}

// close ends the link and all that it carries.
func (l *link) close() {
	l.end()
	_ = l.listener.Close()
	l.resetAll()
	l.wait.Wait()
}

func (c *carried) reset() {
	reset(c.near)
	if c.far != nil {
		reset(c.far)
	}
}

// reset closes a connection with RST (SO_LINGER 0, socket(7)).
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // it may be closed
	_ = conn.Close()
}
