package cluster

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMetrics: the figures can be collected, and a node that closes takes its own
// away, so that the next one finds the names free.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	f := newCluster(t, 1, func(c *Config) { c.Metrics = registry })
	n := f.nodes[0]
	if _, err := n.transact(f.ctx(), nil); err != nil {
		t.Fatal(err)
	}
	if err := n.node.HSM().Random(f.ctx(), make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	figures := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		figures := make(map[string]float64)
		for _, family := range families {
			m := family.GetMetric()[0]
			figures[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return figures
	}
	for name, value := range map[string]float64{
		"cofre_raft_state": 2, "cofre_ledger_records": 2, "cofre_hsm_up": 1, "cofre_node_ready": 1,
		"cofre_commit_batch_transactions": 1, "cofre_raft_leader_changes_total": 1,
		"cofre_hsm_operations_total": 1,
	} {
		if got := figures()[name]; got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
	n.stop()
	if left := figures(); len(left) != 0 {
		t.Errorf("a closed node left %v", left)
	}
	n.open()
	if got := figures()["cofre_hsm_up"]; got != 1 {
		t.Errorf("after a restart: %v", figures())
	}
}
