package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/kms"
)

// daemon is a running node. Its parts are set by start, in order.
type daemon struct {
	cfg     *config.Config
	logger  hclog.Logger
	metrics *prometheus.Registry

	partition   hsm.Partition
	node        *cluster.Node
	clock       *clock
	identity    *identity.Service
	kms         *kms.Service
	certificate *certificate
	server      *server.Server
	admin       *admin.Server

	closers    []closer       // what to close, in the order of opening
	failed     chan error     // of a part that ended by itself; has room for all
	background sync.WaitGroup // ends when all parts have ended
}

// closer closes one part before ctx is done.
type closer struct {
	name  string
	close func(ctx context.Context) error
}

// How long a node that is told to stop may take: requests have their deadline,
// and leadership goes to another node meanwhile.
const (
	stopLimit = 15 * time.Second
	stopGrace = 5 * time.Second // beyond it, for a part that does not keep to it
)

func newDaemon(cfg *config.Config, logger hclog.Logger) *daemon {
	return &daemon{
		cfg: cfg, logger: logger, metrics: newRegistry(), failed: make(chan error, 4),
		certificate: &certificate{logger: logger.Named("tls")},
	}
}

// newRegistry makes the registry with the figures of the process itself.
func newRegistry() *prometheus.Registry {
	b := readBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cofre_build_info", Help: "1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": b.version, "commit": b.commit, "go": b.goVersion},
	})
	info.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// start opens the parts, each on those before it.
func (d *daemon) start(ctx context.Context) error {
	b := readBuild()
	d.logger.Info("starting", "node", d.cfg.Name, "version", b.version, "commit", b.commit)
	for _, step := range []func(context.Context) error{
		d.openPartition, d.openNode, d.makeServices, d.openCertificate, d.openAPI, d.openXKSServer, d.openAdmin, d.openSteward, d.openMetrics,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.logger.Info("started", "node", d.cfg.Name, "api", d.cfg.API.Listen, "cluster", d.cfg.Cluster.Listen)
	return nil
}

// wait returns nil when ctx is done, or the error of a part that ended.
func (d *daemon) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		d.logger.Info("stopping")
		return nil
	case err := <-d.node.Failed():
		return fmt.Errorf("the node had to stop: %w", err)
	case err := <-d.failed:
		return err
	}
}

var errStuck = errors.New("a part of the node does not stop")

// stop closes the parts in the opposite order, and answers why it was called
// together with what went wrong. It gives up on a part that hangs: the process
// is about to end, and everything that was acknowledged is on a quorum's disks.
func (d *daemon) stop(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- d.close(ctx) }()
	var err error
	select {
	case err = <-closed:
	case <-time.After(stopLimit + stopGrace):
		err = errStuck
	}
	if err = errors.Join(cause, err); err == nil {
		d.logger.Info("stopped")
	}
	return err
}

func (d *daemon) close(ctx context.Context) error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i].close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", d.closers[i].name, err))
		}
	}
	d.background.Wait()
	return errors.Join(errs...)
}

func (d *daemon) onStop(name string, close func(ctx context.Context) error) {
	d.closers = append(d.closers, closer{name, close})
}

// run runs a part in the background; if it fails, the node stops.
func (d *daemon) run(part func() error) {
	d.background.Go(func() {
		if err := part(); err != nil {
			d.failed <- err
		}
	})
}
