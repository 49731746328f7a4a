package sim

import (
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/cluster"
)

// Disk is one node's disk, a cluster.Disk: Pebble's crashable file system for
// the state and the snapshots, and a Raft log that forgets what it has not
// acknowledged. Only the log's writes take time, fail and hang: Pebble holds
// locks while it writes, and a goroutine that waits for a lock keeps virtual
// time from passing. It is safe for concurrent use.
type Disk struct {
	fs *vfs.MemFS

	mu      sync.Mutex // guards what is below; held for no virtual time
	rng     *rand.Rand
	content *content
	pending []*write // begun and not yet in content, oldest first
	dead    bool     // the node has crashed; what is written now is nobody's
	latency time.Duration
	failing bool          // writes answer EIO
	hung    chan struct{} // not nil: writes wait until it is closed
}

// usualLatency is an fsync of a good disk.
const usualLatency = 500 * time.Microsecond

// NewDisk makes an empty disk whose faults come from rng.
func NewDisk(rng *rand.Rand) *Disk {
	return &Disk{fs: vfs.NewCrashableMem(), rng: rng, content: newContent(), latency: usualLatency}
}

// FS implements cluster.Disk.
func (d *Disk) FS() vfs.FS { return d.fs }

// CreateLog implements cluster.Disk. The directory and those above it are as
// durable as those of the operating system that the node makes beside them.
func (d *Disk) CreateLog(dir string) error {
	if err := d.fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for ; dir != d.fs.PathDir(dir); dir = d.fs.PathDir(dir) {
		parent, err := d.fs.OpenDir(d.fs.PathDir(dir))
		if err != nil {
			return err
		}
		if err := errors.Join(parent.Sync(), parent.Close()); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.content = newContent()
	return nil
}

// OpenLog implements cluster.Disk.
func (d *Disk) OpenLog(string) (*cluster.RaftStores, error) {
	return &cluster.RaftStores{Logs: &logStore{d}, Stable: &stableStore{d}}, nil
}

// Crash answers the disk as the next start finds it: everything that was
// acknowledged, and of what was not some, none or all. What is written to d from
// now on, by a node that does not know that it is dead, goes nowhere.
func (d *Disk) Crash() *Disk {
	d.mu.Lock() // the log stands still while the file system is copied
	defer d.mu.Unlock()
	next := &Disk{rng: d.rng, latency: usualLatency, content: d.content.clone()}
	next.fs = d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: d.rng.IntN(101), RNG: d.rng})
	if last := next.content.last; plantedFsync && last > 0 {
		(&write{min: max(last-uint64(d.rng.IntN(4)), next.content.first), max: last}).apply(next.content)
	}
	for _, w := range d.pending {
		if d.rng.IntN(2) == 0 {
			break // later writes did not overtake it
		}
		w.torn(d.rng).apply(next.content)
	}
	d.dead = true
	d.release()
	return next
}

// SetLatency sets how long a write takes, up to twice.
func (d *Disk) SetLatency(latency time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency = latency
}

// Fail makes every write of the log answer EIO; some of them happen all the same.
func (d *Disk) Fail() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = true
}

// failed says whether the disk was made to fail.
func (d *Disk) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failing
}

// Hang makes the writes of the log wait until Resume.
func (d *Disk) Hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hung == nil && !d.dead {
		d.hung = make(chan struct{})
	}
}

// Resume ends Hang.
func (d *Disk) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release()
}

func (d *Disk) release() {
	if d.hung != nil {
		close(d.hung)
		d.hung = nil
	}
}

// write makes a change durable and answers when it is.
func (d *Disk) write(w *write) error {
	before, after := d.begin(w)
	time.Sleep(before)
	d.wait()
	err := d.finish(w)
	time.Sleep(after)
	return err
}

// begin notes a write and says how long it takes before and after the moment at
// which it is on the disk.
func (d *Disk) begin(w *write) (before, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = append(d.pending, w)
	total := d.latency + time.Duration(d.rng.Int64N(int64(d.latency)))
	before = time.Duration(d.rng.Int64N(int64(total)))
	return before, total - before
}

// wait returns when the disk does not hang.
func (d *Disk) wait() {
	for {
		d.mu.Lock()
		hung := d.hung
		d.mu.Unlock()
		if hung == nil {
			return
		}
		<-hung
	}
}

func (d *Disk) finish(w *write) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.pending {
		if d.pending[i] == w {
			d.pending = append(d.pending[:i], d.pending[i+1:]...)
			break
		}
	}
	if !d.failing || d.dead {
		w.apply(d.content)
		return nil
	}
	if d.rng.IntN(2) == 0 {
		w.torn(d.rng).apply(d.content)
	}
	return syscall.EIO
}

// read calls fn with the content.
func (d *Disk) read(fn func(*content)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn(d.content)
}
