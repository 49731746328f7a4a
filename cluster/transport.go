package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/pki"
)

// errStalled keeps a leader whose disk hangs from saying that it is well.
var errStalled = errors.New("cluster: the disk hangs")

// transport is Raft's transport over the node port. It differs from
// raft.NetworkTransport in four points (the fourth is pipeline's). A peer is
// reached by name and address, and must prove the name: Raft's messages do not
// name their addressee, and a message that another node takes for its own would
// count as two votes. A node whose disk hangs sends no heartbeats, so that the
// others elect a leader. And heartbeats that come in take no short cut.
type transport struct {
	*raft.NetworkTransport
	stalled func() bool
}

// SetHeartbeatHandler implements raft.Transport. It installs none: a heartbeat
// waits for Raft's main goroutine, as every other message does. hashicorp/raft's
// handler would change term and state beside that goroutine, and a leader that is
// deposed in this way while it takes a command stores it under the term of its
// successor (hashicorp/raft issue 695). Two entries of one index and term are one
// entry to Raft: replicas diverge.
func (t *transport) SetHeartbeatHandler(handler func(raft.RPC)) {
	if plantedHeartbeat {
		t.NetworkTransport.SetHeartbeatHandler(handler)
	}
}

// at is the address that the stream layer dials: "name@host:port".
func at(id raft.ServerID, address raft.ServerAddress) raft.ServerAddress {
	return raft.ServerAddress(id) + "@" + address
}

// AppendEntriesPipeline implements raft.Transport.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, address raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, at(id, address))
	if err != nil {
		return nil, err
	}
	return newPipeline(inner, t.stalled), nil
}

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, address raft.ServerAddress,
	args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if t.stalled() {
		return errStalled
	}
	return t.NetworkTransport.AppendEntries(id, at(id, address), args, resp)
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(id raft.ServerID, address raft.ServerAddress,
	args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return t.NetworkTransport.RequestVote(id, at(id, address), args, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, address raft.ServerAddress,
	args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return t.NetworkTransport.RequestPreVote(id, at(id, address), args, resp)
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(id raft.ServerID, address raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return t.NetworkTransport.InstallSnapshot(id, at(id, address), args, resp, data)
}

// TimeoutNow implements raft.Transport.
func (t *transport) TimeoutNow(id raft.ServerID, address raft.ServerAddress,
	args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return t.NetworkTransport.TimeoutNow(id, at(id, address), args, resp)
}

// stream implements raft.StreamLayer over the node port.
type stream struct {
	port      *port
	advertise string
	accepted  chan net.Conn
	closed    chan struct{}
	once      sync.Once
}

func newStream(p *port, advertise string) *stream {
	return &stream{port: p, advertise: advertise, accepted: make(chan net.Conn), closed: make(chan struct{})}
}

// deliver hands a connection of a peer to Raft.
func (s *stream) deliver(conn net.Conn) {
	select {
	case s.accepted <- conn:
	case <-s.closed:
		conn.Close()
	case <-s.port.ctx.Done():
		conn.Close()
	}
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr implements net.Listener: the address as peers know it.
func (s *stream) Addr() net.Addr { return address(s.advertise) }

// Dial implements raft.StreamLayer.
func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	name, hostport, ok := strings.Cut(string(to), "@")
	if !ok {
		return nil, fmt.Errorf("cluster: Raft dials %q, which names no node", to)
	}
	ctx, cancel := context.WithTimeout(s.port.ctx, timeout)
	defer cancel()
	return s.port.dial(ctx, pki.ProtocolRaft, name, hostport)
}

// address is a host:port as a net.Addr.
type address string

// Network implements net.Addr.
func (address) Network() string { return "tcp" }

// String implements net.Addr.
func (a address) String() string { return string(a) }
