// Package e2e drives real three-process clusters as clients and operators do:
// through the Go SDK, boto3, the AWS CLI and the scripts, while nodes are killed
// and paused. Every cluster is checked when its test ends, see test/rig.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/rig"
)

var (
	soak      = flag.Duration("soak", 10*time.Second, "how long TestSoak runs")
	rounds    = flag.Int("rounds", 40, "how often each test of what acts at once takes a right away")
	raceNodes = flag.Bool("race-nodes", false, "run the nodes under the race detector")
)

// binary is the path of cofre; TestMain sets it.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "cofre-e2e-")
	if err == nil {
		binary, err = rig.Build(dir, *raceNodes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// eachCluster runs a test on both kinds of partition; the Raft log is another
// one for each, so that all four occur.
func eachCluster(t *testing.T, test func(t *testing.T, c *rig.Cluster)) {
	eachClusterOf(t, rig.Config{}, test)
}

// eachClusterOf is eachCluster of a configuration.
func eachClusterOf(t *testing.T, cfg rig.Config, test func(t *testing.T, c *rig.Cluster)) {
	logStores := map[string]string{rig.Soft: "boltdb", rig.SoftHSM: "wal"}
	for _, kind := range rig.Kinds(t) {
		t.Run(kind+","+logStores[kind], func(t *testing.T) {
			cfg.Binary, cfg.HSM, cfg.LogStore = binary, kind, logStores[kind]
			test(t, rig.Start(t, cfg))
		})
	}
}
