package cluster

import (
	"crypto/tls"
	"net"
	"sync"
)

// conns holds every connection of the node port, so that the node
// can leave the network at once.
type conns struct {
	mu     sync.Mutex
	open   map[*tracked]struct{}
	closed bool
}

func newConns() *conns { return &conns{open: make(map[*tracked]struct{})} }

// tracked is a connection that conns knows until it is closed.
type tracked struct {
	*tls.Conn
	owner *conns
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.owner.mu.Lock()
	delete(t.owner.open, t)
	t.owner.mu.Unlock()
	return t.Conn.Close()
}

// track takes a connection in; it is closed at once where the node has left.
func (c *conns) track(conn *tls.Conn) (net.Conn, error) {
	t := &tracked{Conn: conn, owner: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.NetConn().Close()
		return nil, net.ErrClosed
	}
	c.open[t] = struct{}{}
	return t, nil
}

// close closes all connections, now and for ever: without TLS's farewell, which
// would wait for a peer that does not read.
func (c *conns) close() {
	c.mu.Lock()
	c.closed = true
	open := c.open
	c.open = make(map[*tracked]struct{})
	c.mu.Unlock()
	for t := range open {
		t.NetConn().Close()
	}
}
