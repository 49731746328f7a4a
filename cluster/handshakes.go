package cluster

import (
	"container/list"
	"net"
	"sync"
)

// handshakes are the connections whose handshake runs, at most maxHandshakes.
type handshakes struct {
	mu      sync.Mutex
	running list.List // of net.Conn, the oldest first
}

// begin counts a connection in, closing the oldest one where there are too many.
// The caller calls ended once, when the handshake is over.
func (h *handshakes) begin(conn net.Conn) (ended func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running.Len() >= maxHandshakes {
		// Its handshake fails, and its own ended finds it gone.
		h.running.Remove(h.running.Front()).(net.Conn).Close()
	}
	place := h.running.PushBack(conn)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running.Remove(place)
	}
}
