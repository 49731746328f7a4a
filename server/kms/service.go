// Package kms serves the AWS KMS API: a file for each operation or tight group.
// Every operation is a plain function over a transaction. The package knows
// nothing of HTTP, of signatures, of Raft or of PKCS#11.
package kms

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

// HSM is what the service asks of the node's partition.
type HSM interface {
	hsm.Keys
	// Random fills b from the partition's random number generator.
	Random(ctx context.Context, b []byte) error
	Info() hsm.Info
}

// Config configures the service.
type Config struct {
	HSM HSM
	// Generation answers the domain key generation for new keys.
	Generation func() hsm.Generation
	// Regions are the names that the cluster answers for.
	Regions []string
	Logger  hclog.Logger
}

// Service serves the operations.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Operations is the table of the API.
func (s *Service) Operations() []call.Operation { return nil }

// Transactor commits transactions; *cluster.Node is one.
type Transactor interface {
	Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (index uint64, err error)
	View() fsm.View
}

// Steward does the work that time causes: it deletes the keys whose window has
// ended. It runs until ctx is done; the caller runs it while the node leads.
func (s *Service) Steward(ctx context.Context, node Transactor, now func() time.Time) error {
	return nil
}
