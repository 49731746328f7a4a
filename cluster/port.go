package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster/pki"
)

const (
	// handshakeTimeout bounds a TLS handshake.
	handshakeTimeout = 5 * time.Second
	// maxHandshakes bounds the handshakes that run at a time: strangers reach the
	// port, and a handshake is the only work that they can cause. One more ends the
	// oldest, so that who dawdles does not keep others out.
	maxHandshakes = 64
)

// port is the node port: one listener, TLS, and a handler for each protocol.
type port struct {
	listener net.Listener
	endpoint *pki.Endpoint
	network  Network
	conns    *conns
	logger   hclog.Logger
	// handlers take over a connection of their protocol, and close it.
	handlers map[string]func(ctx context.Context, conn net.Conn, state tls.ConnectionState)

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// serve accepts connections until the listener is closed.
func (p *port) serve() {
	config := p.endpoint.Server()
	var shaking handshakes
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			p.logger.Warn("cannot accept a connection", "error", err)
			p.pause()
			continue
		}
		ended := shaking.begin(conn)
		p.running.Go(func() {
			conn, state, err := p.shake(tls.Server(conn, config))
			ended()
			if err != nil {
				p.logger.Debug("refused a connection", "error", err)
				return
			}
			p.handlers[state.NegotiatedProtocol](p.ctx, conn, state)
		})
	}
}

// shake runs a handshake and tracks the connection.
func (p *port) shake(raw *tls.Conn) (net.Conn, tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTimeout)
	defer cancel()
	if err := raw.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, tls.ConnectionState{}, fmt.Errorf("TLS handshake with %s: %w", raw.RemoteAddr(), err)
	}
	state := raw.ConnectionState()
	if p.handlers[state.NegotiatedProtocol] == nil {
		raw.Close()
		return nil, state, fmt.Errorf("%s speaks no protocol of ours", raw.RemoteAddr())
	}
	conn, err := p.conns.track(raw)
	return conn, state, err
}

// dial connects to a node by address and protocol; a name that is not "" must be
// the node's that answers.
func (p *port) dial(ctx context.Context, protocol, name, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	raw, err := p.network.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	conn := tls.Client(raw, p.endpoint.Client(protocol, name))
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return p.conns.track(conn)
}

// leave closes the listener and every connection.
func (p *port) leave() {
	p.stop()
	p.listener.Close()
	p.conns.close()
}

func (p *port) pause() {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}
