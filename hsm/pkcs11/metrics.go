package pkcs11

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/hsm"
)

// figures are what the partition tells Prometheus.
type figures struct {
	calls      *prometheus.HistogramVec // operation, outcome
	recoveries *prometheus.CounterVec   // outcome
	gauges     []prometheus.Collector
	registerer prometheus.Registerer
}

func newFigures(p *Partition) *figures {
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "cofre", Subsystem: "hsm", Name: name, Help: help},
			func() float64 { return float64(value()) })
	}
	return &figures{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "cofre", Subsystem: "hsm", Name: "call_seconds",
			Help:    "Time of a call to the HSM, with the wait for a session.",
			Buckets: prometheus.ExponentialBuckets(20e-6, 3, 12), // 20 µs to 3.5 s
		}, []string{"operation", "outcome"}),
		recoveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "cofre", Subsystem: "hsm", Name: "recoveries_total", Help: "Attempts to connect to the token anew.",
		}, []string{"outcome"}),
		gauges: []prometheus.Collector{
			gauge("sessions", "Sessions for calls.", func() int { return len(p.slots) }),
			gauge("sessions_busy", "Sessions with a call in them.", func() int { return len(p.slots) - len(p.idle) }),
			gauge("calls_hung", "Calls that take longer than any should.", p.hung),
			gauge("objects_cached", "Unwrapped and derived keys kept in the token.", p.objects.Len),
		},
	}
}

func (f *figures) all() []prometheus.Collector {
	return append([]prometheus.Collector{f.calls, f.recoveries}, f.gauges...)
}

func (f *figures) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range f.all() {
		if err := r.Register(c); err != nil {
			for _, registered := range f.all()[:i] {
				r.Unregister(registered)
			}
			return fmt.Errorf("registering the figures: %w", err)
		}
	}
	f.registerer = r
	return nil
}

func (f *figures) unregister() {
	if f.registerer == nil {
		return
	}
	for _, c := range f.all() {
		f.registerer.Unregister(c)
	}
}

func (f *figures) observe(op operation, begun time.Time, err error) {
	f.calls.WithLabelValues(op.name, outcomeOf(err)).Observe(time.Since(begun).Seconds())
}

// outcomeOf is the label of an error: few and fixed values.
func outcomeOf(err error) string {
	for _, known := range []struct {
		err   error
		label string
	}{
		{hsm.ErrTimeout, "timeout"}, {hsm.ErrUnavailable, "unavailable"}, {hsm.ErrInvalidCiphertext, "invalid"},
		{hsm.ErrInvalidKey, "invalid"}, {hsm.ErrUnsupported, "unsupported"}, {hsm.ErrClosed, "closed"},
	} {
		if errors.Is(err, known.err) {
			return known.label
		}
	}
	if err != nil {
		return "other"
	}
	return "ok"
}
