package cluster

import (
	"testing"
)

func TestThreeNodesCommit(t *testing.T) {
	f := newCluster(t, 3, nil)
	for _, n := range f.nodes {
		if _, err := n.transact(f.ctx(), nil); err != nil {
			t.Fatal(err)
		}
	}
}
