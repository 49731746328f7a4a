package faults

import (
	"fmt"

	"github.com/cofre-kms/cofre/test/rig"
)

// network is every way between the nodes, and from the clients to the nodes. It
// is built while the cluster is, one node after the other; then it is safe for
// concurrent use.
type network struct {
	places map[string]*namespace
	nodes  []*rig.Node
	paths  map[way]*path
	links  map[way]*link // by who opens connections to whom
}

// way is from one end to another: names of nodes, or clients.
type way struct{ from, to string }

// clients is the name of the end at which all clients are.
const clients = "clients"

func newNetwork() *network {
	return &network{places: make(map[string]*namespace), paths: make(map[way]*path), links: make(map[way]*link)}
}

// add gives a node its place and links it with all that are there.
func (w *network) add(n *rig.Node) error {
	place, err := newNamespace()
	if err != nil {
		return err
	}
	n.Place, w.places[n.Name] = place, place
	for _, other := range w.nodes {
		if err := w.link(other.Name, other.PeerAddr, n.Name, n.PeerAddr); err != nil {
			return err
		}
	}
	w.nodes = append(w.nodes, n)
	w.paths[way{clients, n.Name}], w.paths[way{n.Name, clients}] = new(path), new(path)
	return w.open(way{clients, n.Name}, "127.0.0.1:0", n.Addr)
}

// link links two nodes both ways.
func (w *network) link(a, addrA, b, addrB string) error {
	w.paths[way{a, b}], w.paths[way{b, a}] = new(path), new(path)
	if err := w.open(way{a, b}, addrB, addrB); err != nil {
		return err
	}
	return w.open(way{b, a}, addrA, addrA)
}

func (w *network) open(v way, listen, addr string) error {
	var from rig.Place
	if place := w.places[v.from]; place != nil {
		from = place
	}
	l, err := newLink(from, listen, w.places[v.to], addr, w.paths[v], w.paths[way{v.to, v.from}])
	if err != nil {
		return fmt.Errorf("linking %s with %s: %w", v.from, v.to, err)
	}
	w.links[v] = l
	return nil
}

// addr is where clients reach a node.
func (w *network) addr(node string) string { return w.links[way{clients, node}].addr() }

func (w *network) cut(ways []way) {
	for _, v := range ways {
		w.paths[v].cut()
	}
}

func (w *network) mend(ways []way) {
	for _, v := range ways {
		w.paths[v].mend()
	}
}

func (w *network) reshape(ways []way, s shape) {
	for _, v := range ways {
		w.paths[v].reshape(s)
	}
}

// reset breaks the connections between two nodes.
func (w *network) reset(a, b string) {
	w.links[way{a, b}].resetAll()
	w.links[way{b, a}].resetAll()
}

// close ends all links; the namespaces go with the last process in them.
func (w *network) close() (err error) {
	for _, l := range w.links {
		l.close()
	}
	for _, place := range w.places {
		if e := place.close(); err == nil {
			err = e
		}
	}
	return err
}
