package cluster

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the node's figures. They are kept whether or not anybody collects
// them.
type metrics struct {
	registry   prometheus.Registerer // nil where nobody does
	registered []prometheus.Collector

	batch     prometheus.Histogram
	latency   prometheus.Histogram
	conflicts prometheus.Counter
	forwards  prometheus.Counter
	leaders   prometheus.Counter
	hsm       *prometheus.CounterVec // by operation, partition and outcome
}

func newMetrics(n *Node) *metrics {
	m := &metrics{
		registry: n.cfg.Metrics,
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "cofre_commit_batch_transactions",
			Help:    "Transactions in a batch whose outcome became known.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "cofre_commit_seconds",
			Help:    "Time from the forming of a batch to its outcome.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cofre_commit_conflicts_total",
			Help: "Transactions that conflicted and were run again.",
		}),
		forwards: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cofre_commit_forwards_total",
			Help: "Batches that this node sent to a leader elsewhere.",
		}),
		leaders: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cofre_raft_leader_changes_total",
			Help: "How often this node got to know a leader: one for every election, and for every leader lost and found.",
		}),
	}
	m.hsm = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cofre_hsm_operations_total",
		Help: "What services asked of an HSM partition: this node's own, or a peer's while that is dead.",
	}, []string{"operation", "partition", "outcome"})
	m.register(m.batch, m.latency, m.conflicts, m.forwards, m.leaders, m.hsm)
	return m
}

// watch adds the figures that are read when they are collected.
func (m *metrics) watch(n *Node) {
	for _, gauge := range []struct {
		name, help string
		read       func() float64
	}{
		{"cofre_raft_state", "0 follower, 1 candidate, 2 leader, 3 stopped.", func() float64 { return float64(n.raft.State()) }},
		{"cofre_raft_term", "Raft term.", func() float64 { return float64(n.raft.CurrentTerm()) }},
		{"cofre_raft_last_index", "Index of the last entry of the Raft log.", func() float64 { return float64(n.raft.LastIndex()) }},
		{"cofre_raft_commit_index", "Index of the last entry known to be committed.", func() float64 { return float64(n.raft.CommitIndex()) }},
		{"cofre_raft_applied_index", "Index of the last entry in the state.", func() float64 { return float64(n.store.Applied()) }},
		{"cofre_commit_waiting_transactions", "Transactions that wait for a batch.", func() float64 { return float64(n.queue.Waiting()) }},
		{"cofre_ledger_records", "Records in the ledger.", func() float64 { return float64(n.store.Status().LedgerSize) }},
		{"cofre_ledger_checkpoint_records", "Records that the published checkpoint covers.", func() float64 { return float64(n.ledgerStatus().Checkpoint) }},
		{"cofre_ledger_signing", "1 where this node signs the ledger's checkpoints.", func() float64 { return truth(n.ledgerStatus().Problem == "") }},
		{"cofre_feature_level", "The cluster's feature level.", func() float64 { return float64(n.Level()) }},
		{"cofre_hsm_up", "1 where the HSM partition works.", func() float64 { return truth(n.partition.check() == nil) }},
		{"cofre_node_ready", "1 where the node can serve.", func() float64 { return truth(n.Ready() == nil) }},
	} {
		m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: gauge.name, Help: gauge.help}, gauge.read))
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// resolved takes a batch whose outcome became known.
func (m *metrics) resolved(txns, _ int, took time.Duration) {
	m.batch.Observe(float64(txns))
	m.latency.Observe(took.Seconds())
}

// worked counts a use of a partition, "own" or "peer". A caller's mistake, such as
// a ciphertext that does not open, is an error too; a dead device is told apart.
func (m *metrics) worked(op operation, partition string, err error) {
	outcome := "ok"
	switch {
	case dead(err):
		outcome = "dead"
	case err != nil:
		outcome = "error"
	}
	m.hsm.WithLabelValues(op.String(), partition, outcome).Inc()
}

// register hands collectors to the registry. A name that is taken, by another
// node of the same process, stays with it.
func (m *metrics) register(collectors ...prometheus.Collector) {
	if m.registry == nil {
		return
	}
	for _, c := range collectors {
		if m.registry.Register(c) == nil {
			m.registered = append(m.registered, c)
		}
	}
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registry.Unregister(c)
	}
}
