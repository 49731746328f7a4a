package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/rpc"
)

// enrollTimeout bounds one attempt to be taken into the Raft configuration.
const enrollTimeout = 5 * time.Second

// enrollment asks for a place in the Raft configuration.
type enrollment struct {
	Name    string `cbor:"1,keyasint"`
	Address string `cbor:"2,keyasint"`
}

// nothing is an empty answer.
type nothing struct{}

// servers is the newest Raft configuration that this node knows.
func (n *Node) servers() []raft.Server { return n.raft.GetConfiguration().Configuration().Servers }

// others is the configuration without this node.
func (n *Node) others() []raft.Server {
	var others []raft.Server
	for _, server := range n.servers() {
		if string(server.ID) != n.who.Name {
			others = append(others, server)
		}
	}
	return others
}

// server looks a node up in the Raft configuration.
func (n *Node) server(name string) (raft.Server, bool) {
	for _, server := range n.servers() {
		if string(server.ID) == name {
			return server, true
		}
	}
	return raft.Server{}, false
}

func (n *Node) addressOf(name string) string {
	server, _ := n.server(name)
	return string(server.Address)
}

// addresses are those of all nodes, this one's first.
func (n *Node) addresses() []string {
	list := []string{n.cfg.Advertise}
	for _, server := range n.others() {
		list = append(list, string(server.Address))
	}
	return list
}

// voterNames are the names of the voting members.
func (n *Node) voterNames() []string {
	var names []string
	for _, server := range n.servers() {
		if server.Suffrage == raft.Voter {
			names = append(names, string(server.ID))
		}
	}
	return names
}

// enrolled says whether this node has its place, under its present address.
func (n *Node) enrolled() bool {
	server, ok := n.server(n.who.Name)
	return ok && string(server.Address) == n.cfg.Advertise
}

// enroll asks until this node has its place in the Raft configuration: after it
// joined, and whenever it starts under another address.
func (n *Node) enroll() {
	for attempt := 0; !n.enrolled(); attempt++ {
		if err := n.askToEnroll(attempt); err != nil {
			n.logger.Debug("not in the Raft configuration yet", "error", err)
		}
		_, changed := n.leadership.current()
		timer := time.NewTimer(n.cfg.Timing.Heartbeat)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-n.ctx.Done():
			timer.Stop()
			return
		}
	}
	n.logger.Info("in the Raft configuration", "address", n.cfg.Advertise)
}

// askToEnroll asks the leader, where one is known, or the peers that were there
// when this node joined, one after the other.
func (n *Node) askToEnroll(attempt int) error {
	ctx, cancel := context.WithTimeout(n.ctx, enrollTimeout)
	defer cancel()
	request := &enrollment{Name: n.who.Name, Address: n.cfg.Advertise}
	view, _ := n.leadership.current()
	switch {
	case view.leading:
		return n.place(request)
	case view.known():
		_, err := call[nothing](ctx, n.peers.client(peerKey{name: view.name}), methodEnroll, request)
		return err
	case len(n.who.Peers) > 0:
		address := n.who.Peers[attempt%len(n.who.Peers)]
		_, err := call[nothing](ctx, n.peers.client(peerKey{address: address}), methodEnroll, request)
		return err
	}
	return fmt.Errorf("%w: nobody to ask", ErrUnavailable)
}

// takeEnrollment answers a node that asks for its place. A follower passes the
// question on.
func (n *Node) takeEnrollment(ctx context.Context, _ pki.Identity, request *enrollment) (*nothing, error) {
	view, _ := n.leadership.current()
	switch {
	case view.leading:
		return &nothing{}, n.place(request)
	case !view.known() || view.name == request.Name:
		return nil, errNotLeader
	}
	return call[nothing](ctx, n.peers.client(peerKey{name: view.name}), methodEnroll, request)
}

// place gives a member its place: as a nonvoter first, since a voter that has
// nothing yet would count for the quorum.
func (n *Node) place(request *enrollment) error {
	m, _, err := memberTable.Peek(n.store, request.Name)
	if err != nil {
		return fmt.Errorf("looking up a member: %w", err)
	}
	if m == nil || m.Removed != 0 {
		return rpc.Errorf(rpc.CodeFailed, "%s is not a member", request.Name)
	}
	id, address := raft.ServerID(request.Name), raft.ServerAddress(request.Address)
	var future raft.IndexFuture
	switch server, ok := n.server(request.Name); {
	case ok && server.Address == address:
		return nil
	case ok && server.Suffrage == raft.Voter:
		future = n.raft.AddVoter(id, address, 0, enrollTimeout)
	default:
		future = n.raft.AddNonvoter(id, address, 0, enrollTimeout)
	}
	if err := future.Error(); err != nil {
		return fmt.Errorf("changing the Raft configuration: %w", err)
	}
	n.logger.Info("gave a member its place", "name", request.Name, "address", request.Address)
	select {
	case n.kick <- struct{}{}:
	default:
	}
	return nil
}
