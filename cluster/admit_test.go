package cluster

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
)

// TestStrangersHoldFewConnections: who connects as a joining node and says
// nothing does not keep more than maxJoining connections of the node open.
func TestStrangersHoldFewConnections(t *testing.T) {
	f := newCluster(t, 1, nil)
	node := f.nodes[0]
	conns := make([]*tls.Conn, 2*maxJoining)
	for i := range conns {
		conns[i] = node.stranger()
	}
	closed := make(chan struct{}, len(conns))
	for _, conn := range conns {
		go func() {
			_, _ = conn.Read(make([]byte, 1)) // the node says nothing before it closes
			closed <- struct{}{}
		}()
	}
	for i := range maxJoining {
		select {
		case <-closed:
		case <-time.After(patience / 3): // sooner than a silent connection is closed
			t.Fatalf("%d connections were closed, want %d", i, maxJoining)
		}
	}
}

// stranger connects to a node as one that wants to join does.
func (n *testNode) stranger() *tls.Conn {
	n.f.t.Helper()
	raw, err := (tcp{}).Dial(n.f.ctx(), n.cfg.Listen)
	n.ok(err, "connecting")
	conn := tls.Client(raw, pki.JoinClient(pki.Pin(n.node.CA()), time.Now))
	n.f.t.Cleanup(func() { raw.Close() })
	n.ok(conn.HandshakeContext(n.f.ctx()), "TLS handshake")
	return conn
}

// TestSlowHandshakesKeepNobodyOut: however many strangers connect and say
// nothing, a member's connection is accepted.
func TestSlowHandshakesKeepNobodyOut(t *testing.T) {
	f := newCluster(t, 1, nil)
	node := f.nodes[0]
	for range 2 * maxHandshakes {
		raw, err := (tcp{}).Dial(f.ctx(), node.cfg.Listen)
		node.ok(err, "connecting")
		t.Cleanup(func() { raw.Close() })
	}
	ctx, cancel := context.WithTimeout(f.ctx(), handshakeTimeout/2) // sooner than the strangers are given up
	defer cancel()
	conn, err := node.node.port.dial(ctx, pki.ProtocolNode, node.cfg.Name, node.cfg.Listen)
	node.ok(err, "connecting as a member beside strangers")
	conn.Close()
}
