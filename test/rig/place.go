package rig

import (
	"context"
	"net"
)

// Place is where a node lives.
type Place interface {
	// Do calls fn on a thread that is in the place: processes that fn starts and
	// sockets that it opens are there, as long as it does not use other goroutines.
	Do(fn func() error) error
}

// in calls fn where the node lives.
func (n *Node) in(fn func() error) error {
	if n.Place == nil {
		return fn()
	}
	return n.Place.Do(fn)
}

// dial connects to an address as the node sees it.
func (n *Node) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = n.in(func() error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}
