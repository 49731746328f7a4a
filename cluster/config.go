package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// Config configures a Node.
type Config struct {
	// Name is the node's name and Raft server ID: 1 to 63 of a-z, 0-9 and hyphen.
	Name string
	// DataDir holds state/, raft/, tls/, node.json and the incarnation counter. One
	// process at a time uses it.
	DataDir string
	// Listen and Advertise are host:port of the node port: to listen on, and as the
	// other nodes reach it. Advertise is Listen's actual address where empty.
	Listen, Advertise string
	// LogStore is where the Raft log is kept: "boltdb" or "wal". It is fixed when
	// the data directory is made.
	LogStore string
	// Partition is the node's HSM partition. The caller closes it, after the node.
	Partition hsm.Partition
	// Network is nil for TCP, Disk for the files of DataDir; simulations bring their
	// own.
	Network Network
	Disk    Disk
	// Timing is zero for the shipped timeouts.
	Timing Timing
	// Limits is zero for the shipped limits.
	Limits Limits
	// KeyEvent makes the ledger record of a node's new key for checkpoints, a
	// verifier key (C2SP signed-note). Nil leaves it unrecorded.
	KeyEvent func(view fsm.View, node, verifierKey string) ([]byte, error)
	Logger   hclog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer

	levels   levels // that the release knows; tests bring others
	founding bool   // Init runs the node to make the first transaction
}

// Network opens the connections between nodes.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Log stores.
const (
	LogStoreBoltDB = "boltdb"
	LogStoreWAL    = "wal"
)

// Timing holds the timeouts of elections and commits. A zero field has the
// shipped value. DESIGN.md says how they were chosen.
type Timing struct {
	// Heartbeat is how long a follower hears nothing before it stands for election;
	// leaders send every tenth to fifth of it. 0 means 350 ms.
	Heartbeat time.Duration
	// Election is how long a candidate waits for votes, up to twice. 0 means 350 ms.
	Election time.Duration
	// Lease is how long a leader that hears from no quorum stays leader; not more
	// than Heartbeat. 0 means 300 ms.
	Lease time.Duration
	// Commit is how long a leader with nothing to append waits, up to twice, before
	// it tells followers again what is committed: a second chance, since a herald
	// tells them at once. 0 means 50 ms.
	Commit time.Duration
	// Stall is how long a disk may take for one write before the node stops leading
	// and says that it is not ready. 0 means 1 s.
	Stall time.Duration
	// Watch is the interval at which a leader compares and promotes members. 0
	// means 1 s.
	Watch time.Duration
	// Check is the interval at which the partition is checked. 0 means 3 s.
	Check time.Duration
	// Checkpoint is the interval at which a leader has a checkpoint of the ledger
	// signed, while records come. 0 means 1 s.
	Checkpoint time.Duration
	// Snapshot is the interval, up to twice, at which the log is looked at for
	// compaction. 0 means 20 s.
	Snapshot time.Duration
}

// Limits bounds memory and log. A zero field has the shipped value.
type Limits struct {
	// SnapshotEntries is how many log entries there are before a snapshot is taken.
	// 0 means 2,048.
	SnapshotEntries uint64
	// TrailingEntries is how many log entries stay behind a snapshot, for followers
	// that are a little late. 0 means 4,096.
	TrailingEntries uint64
	// HeldEntries is how many log entries stay at most for members that are catching
	// up, such as one that is being installed from a snapshot. 0 means 131,072.
	HeldEntries uint64
	// Waiting is how many transactions wait for a batch. 0 means 4,096.
	Waiting int
	// Window is how many batches of this node are in flight. 0 means 1 with boltdb
	// and 2 with wal.
	Window int
}

func (t Timing) withDefaults() Timing {
	for _, field := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&t.Heartbeat, 350 * time.Millisecond},
		{&t.Election, 350 * time.Millisecond},
		{&t.Lease, 300 * time.Millisecond},
		{&t.Commit, 50 * time.Millisecond},
		{&t.Stall, time.Second},
		{&t.Watch, time.Second},
		{&t.Check, 3 * time.Second},
		{&t.Checkpoint, time.Second},
		{&t.Snapshot, 20 * time.Second},
	} {
		if *field.value == 0 {
			*field.value = field.zero
		}
	}
	return t
}

func (l Limits) withDefaults(logStore string) Limits {
	if l.SnapshotEntries == 0 {
		l.SnapshotEntries = 2048
	}
	if l.TrailingEntries == 0 {
		l.TrailingEntries = 4096
	}
	if l.HeldEntries == 0 {
		l.HeldEntries = 131072
	}
	if l.Waiting == 0 {
		l.Waiting = 4096
	}
	if l.Window == 0 {
		l.Window = 1
		if logStore == LogStoreWAL {
			l.Window = 2
		}
	}
	return l
}

// complete checks the configuration and fills its zero fields.
func (c Config) complete() (Config, error) {
	var errs []error
	if !pki.ValidName(c.Name) {
		errs = append(errs, fmt.Errorf("name %q: want 1 to 63 of a-z, 0-9 and hyphen", c.Name))
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("no data directory"))
	}
	if c.LogStore != LogStoreBoltDB && c.LogStore != LogStoreWAL {
		errs = append(errs, fmt.Errorf("log store %q: want %q or %q", c.LogStore, LogStoreBoltDB, LogStoreWAL))
	}
	if c.Partition == nil {
		errs = append(errs, errors.New("no HSM partition"))
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Network == nil {
		c.Network = tcp{}
	}
	if c.Disk == nil {
		c.Disk = files{kind: c.LogStore, logger: c.Logger}
	}
	if c.levels == (levels{}) {
		c.levels = releaseLevels
	}
	c.Timing = c.Timing.withDefaults()
	c.Limits = c.Limits.withDefaults(c.LogStore)
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("configuring the node: %w", err)
	}
	return c, nil
}
