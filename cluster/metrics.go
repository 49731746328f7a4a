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
	}
	m.register(m.batch, m.latency, m.conflicts, m.forwards)
	return m
}

// resolved takes a batch whose outcome became known.
func (m *metrics) resolved(txns, _ int, took time.Duration) {
	m.batch.Observe(float64(txns))
	m.latency.Observe(took.Seconds())
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
