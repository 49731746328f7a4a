package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/audit"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/iam"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/oidc"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rate"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/sts"
)

func (d *daemon) openPartition(ctx context.Context) (err error) {
	if err := makeDataDir(d.cfg); err != nil {
		return err
	}
	if d.partition, err = openPartition(ctx, d.cfg, d.logger, d.metrics); err != nil {
		return err
	}
	d.onStop("the HSM partition", func(context.Context) error { return d.partition.Close() })
	info := d.partition.Info()
	d.logger.Info("partition open", "kind", info.Kind, "label", info.Label, "maker", info.Maker, "hardware", info.Hardware)
	return nil
}

func (d *daemon) openNode(ctx context.Context) (err error) {
	if d.node, err = cluster.Open(ctx, nodeConfig(d.cfg, d.partition, d.logger, d.metrics)); err != nil {
		return err
	}
	d.onStop("the node", d.node.Close)
	d.clock = newClock(d.node)
	return nil
}

func (d *daemon) makeServices(context.Context) (err error) {
	d.identity = identity.New(identity.Config{HSM: d.node.HSM(), Now: d.clock.now})
	roots, err := attestationRoots(d.cfg)
	if err != nil {
		return err
	}
	proxies, err := proxyClient(d.cfg)
	if err != nil {
		return err
	}
	clusters, err := newClusters(d.cfg, d.logger.Named("cloudhsm"))
	if err != nil {
		return err
	}
	d.onStop("the HSM clusters", clusters.Close)
	access := authz.New()
	d.kms = kms.New(kms.Config{
		HSM: d.node.HSM(), Generation: d.node.Generation, Attestation: roots, Regions: d.cfg.Regions, Logger: d.logger.Named("kms"),
		MaxKeys: d.cfg.Quotas.Keys, Access: access, Proxies: proxies, Clusters: clusters,
	})
	d.server, err = server.New(server.Config{
		Node: certified{d.node, d.certificate}, Identity: d.identity, Regions: d.cfg.Regions, Logger: d.logger.Named("api"), Metrics: d.metrics,
		Deadline: time.Duration(d.cfg.API.RequestTimeout), MaxInFlight: d.cfg.API.MaxInFlight, Dated: d.clock.now,
		Services: d.services(access), Rates: rate.New(d.cfg.Quotas.RequestRates(), nil),
	})
	return err
}

// services are the APIs that are served; KMS is the first.
func (d *daemon) services(access *authz.Authorizer) []server.Service {
	tokens := sts.New(sts.Config{Sessions: d.identity, Access: access, Tokens: oidc.New(d.clock.now)})
	identities := iam.New(iam.Config{Keys: d.identity, Access: access})
	routes := d.routes(access)
	return []server.Service{
		{Name: "kms", Protocol: server.JSON("TrentService"), Operations: d.kms.Operations()},
		{Name: "iam", Region: iam.Region, Protocol: server.Query(iam.Namespace), Operations: identities.Operations()},
		{Name: "sts", Protocol: server.Query(sts.Namespace), Operations: tokens.Operations()},
		{Name: record.AdminService, Protocol: server.REST("/v1/", routes), Operations: rest.Operations(routes)},
	}
}

// routes are those of Cofre's own API.
func (d *daemon) routes(access *authz.Authorizer) []rest.Route {
	operators := operator.New(operator.Config{
		Node: d.node, Identities: d.identity, Access: access, Regions: d.cfg.Regions, Version: readBuild().version,
	})
	auditors := audit.New(audit.Config{Node: d.node, Ledger: d.node.Records(), Access: access})
	return rest.WithDescription("Cofre", readBuild().version, slices.Concat(operators.Routes(), auditors.Routes()))
}

// attestationRoots answers the verifier of attestation documents, nil where no
// roots are configured.
func attestationRoots(cfg *config.Config) (*attestation.Verifier, error) {
	if cfg.Attestation.Roots == "" {
		return nil, nil
	}
	file, err := os.ReadFile(cfg.Attestation.Roots)
	if err != nil {
		return nil, fmt.Errorf("reading attestation.roots: %w", err)
	}
	verifier, err := attestation.NewVerifier(file)
	if err != nil {
		return nil, fmt.Errorf("attestation.roots %s: %w", cfg.Attestation.Roots, err)
	}
	return verifier, nil
}

func (d *daemon) openCertificate(context.Context) error {
	if d.cfg.API.CertFile != "" {
		return d.certificate.load(d.cfg.API)
	}
	d.whileRunning("the certificate", func(ctx context.Context) { d.certificate.keep(ctx, d.node, d.cfg.API.Hosts) })
	return nil
}

// whileRunning runs a part in the background until the node stops.
func (d *daemon) whileRunning(name string, part func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	d.onStop(name, func(context.Context) error { cancel(); return nil })
	d.run(func() error { part(ctx); return nil })
}

func (d *daemon) openAPI(context.Context) error {
	listener, err := net.Listen("tcp", d.cfg.API.Listen)
	if err != nil {
		return fmt.Errorf("opening api.listen: %w", err)
	}
	d.onStop("the API port", d.server.Shutdown)
	d.run(func() error { return d.server.Serve(listener, d.certificate.get) })
	return nil
}

func (d *daemon) openAdmin(context.Context) error {
	d.admin = admin.New(admin.Config{
		Node: d.node, Ledger: d.node.Records(), API: d.server.LocalHandler(record.AdminService, admin.Principal), Version: readBuild().version,
		Region: d.cfg.Regions[0], Now: d.clock.now, Logger: d.logger.Named("admin"),
	})
	listener, err := admin.Listen(d.cfg.Admin.Socket)
	if err != nil {
		return err
	}
	d.onStop("the admin socket", d.admin.Shutdown)
	d.run(func() error { return d.admin.Serve(listener) })
	return nil
}

func (d *daemon) openSteward(context.Context) error {
	s := &steward{leader: d.node, logger: d.logger.Named("steward"), work: func(ctx context.Context) error {
		return d.kms.Steward(ctx, d.node, d.clock.now)
	}}
	d.whileRunning("the steward", s.run)
	return nil
}

// openMetrics opens the port for figures and health after all others: whoever is
// told there that the node is ready finds every door open.
func (d *daemon) openMetrics(context.Context) error {
	if d.cfg.Metrics.Listen == "" {
		return nil
	}
	listener, err := net.Listen("tcp", d.cfg.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("opening metrics.listen: %w", err)
	}
	s := &http.Server{Handler: d.server.MetricsHandler(d.metrics), ReadTimeout: 10 * time.Second}
	d.onStop("the metrics port", s.Shutdown)
	d.run(func() error {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving metrics: %w", err)
		}
		return nil
	})
	return nil
}
