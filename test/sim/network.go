package sim

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cofre-kms/cofre/cluster"
)

// Network connects the hosts of a simulated cluster by streams, as TCP does:
// bytes come in order, once and whole or not at all. What a lossy path does to
// packets (loss, duplication, reordering) shows on a stream as delay, as a stall
// or as a reset, so that is what can be injected. It is safe for concurrent use.
type Network struct {
	mu        sync.Mutex // guards all that is below, and every stream
	rng       *rand.Rand
	links     map[[2]string]*link // from, to
	listeners map[string]*listener
	streams   map[*stream]struct{}
	changed   chan struct{} // closed and replaced when a link is cut or mended
}

// link is the path from one host to another; the way back is another link.
type link struct {
	delay, jitter time.Duration
	loss          float64 // of chunks; each is sent again
	cuts          int     // how many partitions cut it
}

const (
	usualDelay  = 200 * time.Microsecond
	usualJitter = 300 * time.Microsecond
	// retransmit is how long a sender waits before it sends a lost packet again
	// (RFC 6298 §2.4 has a second; Linux has 200 ms).
	retransmit = 200 * time.Millisecond
	// keepAlive is when a peer that does not answer is given up: cluster/network.go.
	keepAlive = 5 * time.Second
)

// NewNetwork makes a network whose delays come from rng.
func NewNetwork(rng *rand.Rand) *Network {
	return &Network{
		rng:       rng,
		links:     make(map[[2]string]*link),
		listeners: make(map[string]*listener),
		streams:   make(map[*stream]struct{}),
		changed:   make(chan struct{}),
	}
}

// Host answers the network as a host sees it.
func (n *Network) Host(name string) cluster.Network { return &host{network: n, name: name} }

// link answers the path between two hosts. The caller holds mu.
func (n *Network) link(from, to string) *link {
	l := n.links[[2]string{from, to}]
	if l == nil {
		l = &link{delay: usualDelay, jitter: usualJitter}
		n.links[[2]string{from, to}] = l
	}
	return l
}

// Shape sets what the path from one host to another is like.
func (n *Network) Shape(from, to string, delay, jitter time.Duration, loss float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.link(from, to)
	l.delay, l.jitter, l.loss = delay, jitter, loss
}

// Cut stops all that goes from one host to another, what is under way included.
// A connection across it dies when its keep-alive finds out, unless the path is
// mended first. Each Cut needs a Mend.
func (n *Network) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(from, to).cuts++
	for s := range n.streams {
		if s.crosses(from, to) && s.doom.IsZero() {
			s.doom, s.tentative, s.cause = time.Now().Add(keepAlive), true, syscall.ETIMEDOUT
			s.poke()
		}
	}
	n.announce()
}

// Mend undoes one Cut.
func (n *Network) Mend(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(from, to).cuts--
	for s := range n.streams {
		if s.tentative && s.crosses(from, to) && !n.severed(s.from, s.to) && time.Now().Before(s.doom) {
			s.doom, s.tentative = time.Time{}, false
		}
	}
	n.announce()
}

// Reset breaks every connection between two hosts.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.streams {
		if s.crosses(a, b) || s.crosses(b, a) {
			s.die(time.Now(), syscall.ECONNRESET)
		}
	}
}

// Kill ends a host: its listener and its side of all connections. Peers hear of
// it at once, as from a killed process, or when their keep-alive finds out, as
// after a loss of power.
func (n *Network) Kill(name string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for address, l := range n.listeners {
		if l.host == name {
			l.stop()
			delete(n.listeners, address)
		}
	}
	for s := range n.streams {
		switch {
		case s.to == name: // read by the dead
			s.die(time.Now(), net.ErrClosed)
		case s.from == name && (silent || n.severed(s.from, s.to)):
			s.die(time.Now().Add(keepAlive), syscall.ETIMEDOUT)
		case s.from == name:
			s.die(time.Now(), syscall.ECONNRESET)
		}
	}
}

// severed says whether one of the two directions is cut. The caller holds mu.
func (n *Network) severed(a, b string) bool { return n.link(a, b).cuts > 0 || n.link(b, a).cuts > 0 }

// announce wakes everybody who waits for a path. The caller holds mu.
func (n *Network) announce() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// host is a cluster.Network.
type host struct {
	network *Network
	name    string
}

// Listen implements cluster.Network.
func (h *host) Listen(address string) (net.Listener, error) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{network: n, host: h.name, address: address, accepted: make(chan net.Conn, 128), stopped: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Dial implements cluster.Network. It waits while the path is cut.
func (h *host) Dial(ctx context.Context, address string) (net.Conn, error) {
	n := h.network
	to, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for {
		n.mu.Lock()
		severed, changed := n.severed(h.name, to), n.changed
		trip := n.link(h.name, to).delay + n.link(to, h.name).delay
		n.mu.Unlock()
		if !severed {
			if err := sleep(ctx, trip); err != nil {
				return nil, err
			}
			return n.connect(h.name, to, address)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// connect makes a connection's two streams and hands one end to the listener.
func (n *Network) connect(from, to, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[address]
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	there, back := newStream(from, to), newStream(to, from)
	near := &conn{network: n, in: back, out: there, local: endpoint(from), remote: endpoint(address)}
	far := &conn{network: n, in: there, out: back, local: endpoint(address), remote: endpoint(from)}
	select {
	case l.accepted <- far:
	default:
		return nil, syscall.ECONNREFUSED // the queue is full
	}
	n.streams[there], n.streams[back] = struct{}{}, struct{}{}
	return near, nil
}

// listener is a net.Listener.
type listener struct {
	network       *Network
	host, address string
	accepted      chan net.Conn
	once          sync.Once
	stopped       chan struct{}
}

func (l *listener) stop() { l.once.Do(func() { close(l.stopped) }) }

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.stopped:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	if l.network.listeners[l.address] == l {
		delete(l.network.listeners, l.address)
	}
	l.stop()
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return endpoint(l.address) }

// endpoint is a net.Addr.
type endpoint string

// Network implements net.Addr.
func (endpoint) Network() string { return "sim" }

// String implements net.Addr.
func (e endpoint) String() string { return string(e) }

// sleep returns after d, or with ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
