package cluster

import (
	"context"
	"net"
	"time"
)

// tcp is the Network of real nodes. Keep-alive probes notice within seconds that
// a peer's host is gone.
type tcp struct{}

var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     2 * time.Second,
	Interval: time.Second,
	Count:    3,
}

func (tcp) Listen(addr string) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	return config.Listen(context.Background(), "tcp", addr)
}

func (tcp) Dial(ctx context.Context, addr string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	return dialer.DialContext(ctx, "tcp", addr)
}
