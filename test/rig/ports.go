package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// maxNodes is how many nodes PortBase makes room for.
const maxNodes = 9

// The ports of a node, as scripts/up lays them out: for clients at the base, for
// its peers and for figures above it.
const (
	peerOffset    = 100
	metricsOffset = 200
)

// PortBase answers a port P such that nobody listens on P, P+100 and P+200 of
// 127.0.0.1, nor on the eight after each. They lie below the range from which the
// kernel takes the ports of outgoing connections (ip_local_port_range, 32768 and
// up), so that no connection sits on a port while its node is down.
func PortBase() (int, error) {
	for range 100 {
		base := 10000 + rand.IntN(20000)
		if free(base) && free(base+peerOffset) && free(base+metricsOffset) {
			return base, nil
		}
	}
	return 0, errors.New("no free ports on 127.0.0.1")
}

func free(first int) bool {
	for port := first; port < first+maxNodes; port++ {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
