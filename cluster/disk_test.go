package cluster

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
)

// illDisk is the Disk of a node whose Raft log can fail or hang.
type illDisk struct {
	Disk

	mu   sync.Mutex
	err  error         // what writes answer
	hang chan struct{} // not nil: writes wait until it is closed
}

func (d *illDisk) fall(err error, hang chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.hang = err, hang
}

// write is what happens to a write before the disk sees it.
func (d *illDisk) write() error {
	d.mu.Lock()
	err, hang := d.err, d.hang
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return err
}

// OpenLog implements Disk.
func (d *illDisk) OpenLog(dir string) (*RaftStores, error) {
	stores, err := d.Disk.OpenLog(dir)
	if err == nil {
		stores.Logs = &illLog{LogStore: stores.Logs, disk: d}
		stores.Stable = &illStable{StableStore: stores.Stable, disk: d}
	}
	return stores, err
}

type illLog struct {
	raft.LogStore
	disk *illDisk
}

func (l *illLog) StoreLogs(logs []*raft.Log) error {
	if err := l.disk.write(); err != nil {
		return err
	}
	return l.LogStore.StoreLogs(logs)
}

type illStable struct {
	raft.StableStore
	disk *illDisk
}

func (s *illStable) SetUint64(key []byte, value uint64) error {
	if err := s.disk.write(); err != nil {
		return err
	}
	return s.StableStore.SetUint64(key, value)
}

// newIllCluster makes three nodes whose disks can fall ill.
func newIllCluster(t *testing.T) *fixture {
	return newCluster(t, 3, func(c *Config) {
		c.Disk = &illDisk{Disk: files{kind: c.LogStore, logger: c.Logger}}
		c.Timing.Stall = 200 * time.Millisecond
	})
}

func (n *testNode) disk() *illDisk { return n.cfg.Disk.(*illDisk) }

// TestDiskFails: a node whose disk fails stops, without a panic, and says why; the
// others go on, and it comes back when its disk does.
func TestDiskFails(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			f := newIllCluster(t)
			ill := f.follower()
			if role == "leader" {
				ill = f.leader()
			}
			broken := errors.New("input/output error")
			ill.disk().fall(broken, nil)
			stop := f.load("n")
			select {
			case err := <-ill.node.Failed():
				if !errors.Is(err, broken) {
					t.Errorf("failed with %v", err)
				}
			case <-f.ctx().Done():
				t.Fatal("the node goes on")
			}
			f.progress(20)
			stop()
			if _, err := ill.node.Transact(f.ctx(), "c", func(*fsm.Txn) error { return nil }); !errors.Is(err, ErrClosed) {
				t.Errorf("a failed node answers %v", err)
			}
			ill.stop()
			ill.disk().fall(nil, nil)
			ill.open()
			f.await("the node to be back", func() error { return ill.node.Ready() })
		})
	}
}

// TestDiskHangs: a leader whose disk hangs loses its office, and has its say again
// when the disk goes on.
func TestDiskHangs(t *testing.T) {
	f := newIllCluster(t)
	ill := f.leader()
	hang := make(chan struct{})
	ill.disk().fall(nil, hang)
	stop := f.load("n")
	f.await("another leader", func() error {
		for _, n := range f.nodes {
			if leading, _ := n.node.Leading(); leading && n != ill {
				return nil
			}
		}
		return errors.New("none yet")
	})
	if err := ill.node.Ready(); err == nil {
		t.Error("a node whose disk hangs is ready")
	}
	f.progress(20)
	ill.disk().fall(nil, nil)
	close(hang)
	f.await("the node to be back", func() error { return ill.node.Ready() })
	f.progress(20)
	stop()
}
