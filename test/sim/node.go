package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm/soft"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/iam"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/kms"
)

// regions are those that the simulated clusters serve.
var regions = []string{"us-east-1", "us-west-2", "eu-west-1"}

// Node is a simulated machine: what outlives its process, and the process while
// it runs.
type Node struct {
	name  string
	world *World
	cfg   cluster.Config // Disk and Partition are the process's
	skew  time.Duration  // of the front end's clock

	changing sync.Mutex // held by who starts or ends the process; never waited for

	mu      sync.Mutex // guards what is below
	disk    *Disk
	process *process // nil while the node is down
}

// process is one run of a node.
type process struct {
	partition *partition
	node      *cluster.Node
	handler   http.Handler
	calls     sync.WaitGroup // requests inside
}

// store is the node's state.
func (p *process) store() *fsm.Store { return p.node.View().(*fsm.Store) }

// running answers the process, nil where the node is down.
func (n *Node) running() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// openPartition opens the node's partition: a file of the operating system,
// which no crash damages.
func (n *Node) openPartition(ctx context.Context) (*partition, error) {
	inner, err := soft.Open(ctx, soft.Config{
		Path:      filepath.Join(n.world.dir, n.name+".hsm"),
		PIN:       "simulated",
		Cost:      soft.Cost{Passes: 1, MemoryKiB: 8, Threads: 1},
		CacheKeys: 256,
	})
	return &partition{Partition: inner}, err
}

// start starts the process. make, where it is not nil, makes the node first.
func (n *Node) start(ctx context.Context, make func(cluster.Config) error) error {
	partition, err := n.openPartition(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	cfg := n.cfg
	cfg.Disk, cfg.Partition = n.disk, partition
	n.mu.Unlock()
	p := &process{partition: partition}
	if make != nil {
		err = make(cfg)
	}
	if err == nil {
		p.node, err = cluster.Open(ctx, cfg)
	}
	if err == nil {
		err = n.serve(p, cfg.Logger)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", n.name, err), partition.Close())
	}
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
	return nil
}

// serve makes the services and the front end of a process.
func (n *Node) serve(p *process, logger hclog.Logger) error {
	access, identities := authz.New(), identity.New(identity.Config{HSM: p.node.HSM()})
	keys := kms.New(kms.Config{
		HSM: p.node.HSM(), Generation: p.node.Generation, Regions: regions, Logger: logger.Named("kms"), Access: access,
	})
	users := iam.New(iam.Config{Keys: identities, Access: access})
	front, err := server.New(server.Config{
		Node: p.node, Identity: identities, Regions: regions,
		Now: func() time.Time { return time.Now().Add(n.skew) }, Logger: logger.Named("api"),
		Services: []server.Service{
			{Name: "kms", Protocol: server.JSON("TrentService"), Operations: keys.Operations()},
			{Name: "iam", Region: iam.Region, Protocol: server.Query(iam.Namespace), Operations: users.Operations()},
		},
	})
	if err != nil {
		return err
	}
	p.handler = front.Handler()
	return nil
}

// take takes the process away from its users.
func (n *Node) take() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.process
	n.process = nil
	return p
}

// crash ends the process at once, as kill -9 does, or as a loss of power does
// where silent is set. The disk is as the next start finds it.
func (n *Node) crash(silent bool) error {
	if p := n.take(); p != nil {
		return n.kill(p, silent)
	}
	return nil
}

func (n *Node) kill(p *process, silent bool) error {
	n.mu.Lock()
	n.disk = n.disk.Crash()
	n.mu.Unlock()
	n.world.network.Kill(n.name, silent)
	// What is left is a process that nobody hears and that writes to a disk which
	// nobody reads; its goroutines have to end.
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return p.close(now)
}

// stop ends the process gracefully. A node that cannot close, because its disk
// hangs, gives up and its process ends all the same.
func (n *Node) stop() error {
	p := n.take()
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := p.node.Close(ctx); err != nil {
		n.world.logger.Warn("a graceful stop failed", "node", n.name, "error", err)
		return n.kill(p, false)
	}
	p.calls.Wait()
	return p.partition.Close()
}

// closeLimit is far beyond what a close may take.
const closeLimit = 2 * time.Minute

func (p *process) close(ctx context.Context) error {
	err := p.node.Close(ctx)
	p.calls.Wait()
	return errors.Join(err, p.partition.Close())
}
