package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
	"github.com/cofre-kms/cofre/hsm/soft"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/admin"
)

// newLogger makes the node's log, on standard error.
func newLogger(cfg *config.Config, std streams) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "cofre", Level: hclog.LevelFromString(cfg.Log.Level), Output: std.err, JSONFormat: cfg.Log.Format == "json",
	})
}

// makeDataDir makes the data directory for its owner alone.
func makeDataDir(cfg *config.Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	return nil
}

// openPartition opens the node's HSM partition. A soft partition is made where
// there is none.
func openPartition(ctx context.Context, cfg *config.Config, logger hclog.Logger, metrics prometheus.Registerer) (hsm.Partition, error) {
	var partition hsm.Partition
	var err error
	switch pin := hsm.PIN(cfg.HSM.PIN.Reveal()); cfg.HSM.Kind {
	case config.HSMSoft:
		partition, err = soft.Open(ctx, soft.Config{Path: cfg.HSM.Path, PIN: pin, Logger: logger})
	case config.HSMPKCS11:
		partition, err = pkcs11.Open(ctx, pkcs11.Config{
			URI: cfg.HSM.URI, PIN: pin, SoftwareAssisted: cfg.HSM.Assisted(), Logger: logger, Metrics: metrics,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("opening the HSM partition: %w", err)
	}
	return partition, nil
}

func nodeConfig(cfg *config.Config, partition hsm.Partition, logger hclog.Logger, metrics prometheus.Registerer) cluster.Config {
	return cluster.Config{
		KeyEvent: admin.KeyEvent(cfg.Regions[0], time.Now),
		Name:     cfg.Name, DataDir: cfg.DataDir, Listen: cfg.Cluster.Listen, Advertise: cfg.Cluster.Advertise,
		LogStore: cfg.Cluster.LogStore, Partition: partition, Logger: logger, Metrics: metrics,
	}
}

// withPartition runs a step of a node's making with its partition open.
func withPartition(ctx context.Context, cfg *config.Config, std streams, do func(hsm.Partition, cluster.Config) error) error {
	if err := makeDataDir(cfg); err != nil {
		return err
	}
	logger := newLogger(cfg, std)
	partition, err := openPartition(ctx, cfg, logger, nil)
	if err != nil {
		return err
	}
	return errors.Join(do(partition, nodeConfig(cfg, partition, logger, nil)), partition.Close())
}
