package faults

import (
	"testing"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestUpgrade upgrades a cluster under load, node by node, to a release that knows
// one feature level more.
func TestUpgrade(t *testing.T) {
	tools := prepareTools(t, true)
	tools.only = []string{"upgrade"}
	const seed = 3
	if f := run(t, seed, config{nodes: 3, hsm: rig.Soft, logStore: "wal"}, tools); f.Faults == 0 && !t.Failed() {
		t.Error("the cluster was not upgraded")
	}
}
