package server

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// codeOK is the code label of an answer that is no exception.
const codeOK = "OK"

// metrics are the front end's figures.
type metrics struct {
	requests        *prometheus.CounterVec   // service, operation, code
	latency         *prometheus.HistogramVec // service, operation
	unauthenticated *prometheus.CounterVec   // code
	inFlight        prometheus.GaugeFunc
}

func newMetrics(busy *atomic.Int64) *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cofre_requests_total", Help: "API requests answered, by exception code or OK.",
		}, []string{"service", "operation", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cofre_request_duration_seconds", Help: "Time from a request's headers to its answer.",
			Buckets: []float64{.0005, .001, .002, .003, .005, .0075, .01, .015, .02, .03, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"service", "operation"}),
		unauthenticated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cofre_authentication_failures_total", Help: "API requests that did not authenticate; they leave no audit record.",
		}, []string{"code"}),
		inFlight: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cofre_requests_in_flight", Help: "API requests being worked on.",
		}, func() float64 { return float64(busy.Load()) }),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.requests, m.latency, m.unauthenticated, m.inFlight} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// figures are those of one operation, found once.
type figures struct {
	service, name string
	requests      *prometheus.CounterVec
	ok            prometheus.Counter
	latency       prometheus.Observer
}

func (m *metrics) figures(service, operation string) figures {
	return figures{
		service: service, name: operation, requests: m.requests,
		ok: m.requests.WithLabelValues(service, operation, codeOK), latency: m.latency.WithLabelValues(service, operation),
	}
}

func (f *figures) observe(code string, took time.Duration) {
	f.latency.Observe(took.Seconds())
	if code == codeOK {
		f.ok.Inc()
		return
	}
	f.requests.WithLabelValues(f.service, f.name, code).Inc()
}
