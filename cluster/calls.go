package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/rpc"
	"github.com/cofre-kms/cofre/fsm"
)

// The methods of the node protocol. Their numbers are for ever.
const (
	methodPropose rpc.Method = 1 // a command for the leader; body and answer are bytes of fsm
	methodEnroll  rpc.Method = 2 // take me into the Raft configuration
	methodStatus  rpc.Method = 3 // how far is your state, and what was it at an index
	methodCondemn rpc.Method = 4 // your replica has diverged
	methodHSM     rpc.Method = 5 // use your partition for me
	methodCosign  rpc.Method = 6 // sign this checkpoint
)

// codeNotLeader refuses a call that only a leader takes: nothing happened, and
// nothing will.
const codeNotLeader = rpc.CodeFailed + 1

var errNotLeader = rpc.Errorf(codeNotLeader, "this node does not lead")

// handler runs one method for a peer.
type handler func(ctx context.Context, peer pki.Identity, body []byte) ([]byte, error)

// typed makes a handler of a function over CBOR messages.
func typed[Req, Resp any](run func(ctx context.Context, peer pki.Identity, req *Req) (*Resp, error)) handler {
	return func(ctx context.Context, peer pki.Identity, body []byte) ([]byte, error) {
		req := new(Req)
		if err := fsm.Unmarshal(body, req); err != nil {
			return nil, fmt.Errorf("decoding a call: %w", err)
		}
		resp, err := run(ctx, peer, req)
		if err != nil {
			return nil, err
		}
		return fsm.Marshal(resp)
	}
}

// handlers is the table of the node protocol.
func (n *Node) handlers() map[rpc.Method]handler {
	return map[rpc.Method]handler{
		methodPropose: n.takeProposal,
		methodEnroll:  typed(n.takeEnrollment),
		methodStatus:  typed(n.tellStatus),
		methodCondemn: typed(n.takeCondemnation),
		methodHSM:     n.takeWork,
		methodCosign:  typed(n.cosign),
	}
}

// serveNode serves the calls of a peer.
func (n *Node) serveNode(ctx context.Context, conn net.Conn, state tls.ConnectionState) {
	peer, err := pki.PeerOf(state)
	if err != nil {
		conn.Close()
		return
	}
	rpc.Serve(ctx, conn, func(ctx context.Context, method rpc.Method, body []byte) ([]byte, error) {
		handle := n.methods[method]
		if handle == nil {
			return nil, fmt.Errorf("method %d is unknown", method)
		}
		if err := errors.Join(n.fate.check(), n.allow(peer)); err != nil {
			return nil, err // it may have been removed since it connected
		}
		return handle(ctx, peer, body)
	})
}

// call calls a typed method of a peer.
func call[Resp any](ctx context.Context, client *rpc.Client, method rpc.Method, req any) (*Resp, error) {
	body, err := fsm.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encoding a call: %w", err)
	}
	answer, err := client.Call(ctx, method, body)
	if err != nil {
		return nil, err
	}
	resp := new(Resp)
	if err := fsm.Unmarshal(answer, resp); err != nil {
		return nil, fmt.Errorf("decoding an answer: %w", err)
	}
	return resp, nil
}

// peers keeps one client for each node that was ever called.
type peers struct {
	// dial connects to a node by name, or by address where the name is not known.
	dial func(ctx context.Context, key peerKey) (net.Conn, error)

	mu      sync.Mutex
	clients map[peerKey]*rpc.Client
	closed  bool
}

// peerKey is a node by its name, or by an address where the name is not known.
type peerKey struct{ name, address string }

func (p *peers) client(key peerKey) *rpc.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	client := p.clients[key]
	if client == nil {
		client = rpc.NewClient(func(ctx context.Context) (net.Conn, error) { return p.dial(ctx, key) })
		if p.closed {
			client.Close()
		} else {
			p.clients[key] = client
		}
	}
	return client
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, client := range p.clients {
		client.Close()
	}
}

// dialPeer connects to a node for calls. A name's address is looked up every
// time: it may have moved.
func (n *Node) dialPeer(ctx context.Context, key peerKey) (net.Conn, error) {
	address := key.address
	if key.name != "" {
		if address = n.addressOf(key.name); address == "" {
			return nil, fmt.Errorf("cluster: no member is called %s", key.name)
		}
	}
	return n.port.dial(ctx, pki.ProtocolNode, key.name, address)
}
