package fsm_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cofre-kms/cofre/fsm"
)

// crashes takes what a crash would leave before each operation that changes the
// disk: once with all lost that was not synced, once with all kept. A mixture
// would also keep a later entry of a directory without an earlier one, which
// journaling file systems do not and Pebble's own markers do not bear.
type crashes struct {
	fs   *vfs.MemFS
	mu   sync.Mutex
	rng  *rand.Rand
	left []*vfs.MemFS
	on   bool
}

func newCrashes() *crashes {
	return &crashes{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2))}
}

func (c *crashes) wrapped() vfs.FS {
	return lockingFS{errorfs.Wrap(c.fs, errorfs.InjectorFunc(c.before)), c}
}

// lockingFS keeps crashes from being taken in the midst of those operations in
// which MemFS takes the lock that CrashClone waits for a second time.
type lockingFS struct {
	vfs.FS
	crashes *crashes
}

func (l lockingFS) Lock(name string) (io.Closer, error) {
	l.crashes.mu.Lock()
	defer l.crashes.mu.Unlock()
	return l.crashes.fs.Lock(name)
}

func (l lockingFS) Link(oldname, newname string) error {
	l.crashes.before(errorfs.Op{Kind: errorfs.OpLink})
	l.crashes.mu.Lock()
	defer l.crashes.mu.Unlock()
	return l.crashes.fs.Link(oldname, newname)
}

func (c *crashes) before(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		c.take()
	}
	return nil
}

func (c *crashes) take() {
	for _, percent := range []int{0, 100} {
		c.left = append(c.left, c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}))
	}
}

// during collects the crashes of an action, and those right behind it.
func (c *crashes) during(t *testing.T, action func() error) []*vfs.MemFS {
	t.Helper()
	c.set(true)
	err := action()
	c.set(false)
	if err != nil {
		t.Fatal(err)
	}
	c.take()
	return c.left
}

func (c *crashes) set(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = on
}

// TestCrashInRestore finds the old state or the new one, whole, wherever a
// restore is cut off.
func TestCrashInRestore(t *testing.T) {
	source := open(t, vfs.NewMem())
	defer source.Close()
	fill(t, source, 300)
	stream := checkpoint(t, source)

	c := newCrashes()
	s := open(t, c.wrapped())
	defer s.Close()
	fill(t, s, 20)
	if _, err := s.Checkpoint("/data/durable"); err != nil {
		t.Fatal(err)
	}
	before, after := s.Status(), source.Status()
	left := c.during(t, func() error { return s.Restore(bytes.NewReader(stream)) })
	seen := map[fsm.Status]int{}
	for i, fs := range left {
		r := open(t, fs)
		seen[r.Status()]++
		if status := r.Status(); status != before && status != after {
			t.Errorf("crash %d of %d leaves %+v", i, len(left), status)
		}
		checkFill(t, r)
		r.Close()
	}
	last := open(t, left[len(left)-2])
	defer last.Close()
	if last.Status() != after {
		t.Errorf("a crash after the restore leaves %+v", last.Status())
	}
	if seen[before] == 0 || seen[after] == 0 {
		t.Errorf("crashes left %v", seen)
	}
}

// TestCrashLeavesAPrefix crashes at any point of first start, applying and
// checkpoints: what is found is the state after some entry, and at least after
// the last checkpoint that returned.
func TestCrashLeavesAPrefix(t *testing.T) {
	const rounds, entries = 4, 70
	steady := open(t, vfs.NewMem())
	defer steady.Close()
	fill(t, steady, rounds*entries)

	c := newCrashes()
	var s *fsm.Store
	c.during(t, func() (err error) {
		s, err = tryOpen(c.wrapped())
		return err
	})
	defer s.Close()
	least := make([]uint64, len(c.left)) // what had become durable before each crash
	for i := range uint64(rounds) {
		c.during(t, func() error {
			fill(t, s, entries*(i+1))
			_, err := s.Checkpoint(fmt.Sprint("/data/copy-", i))
			return err
		})
		for len(least) < len(c.left) {
			least = append(least, entries*i)
		}
	}
	replayed := map[fsm.Status]bool{}
	for i, fs := range c.left {
		r := open(t, fs)
		status := r.Status()
		if status.Applied < least[i] {
			t.Errorf("crash %d leaves %d entries, %d were durable", i, status.Applied, least[i])
		}
		if want, _ := steady.HashAt(status.Applied); status.Applied > 0 && status != want {
			t.Errorf("crash %d leaves %+v, want %+v", i, status, want)
		}
		checkFill(t, r)
		if !replayed[status] {
			replayed[status] = true
			fill(t, r, rounds*entries)
			if r.Status() != steady.Status() {
				t.Errorf("replayed to %+v, want %+v", r.Status(), steady.Status())
			}
		}
		r.Close()
	}
	if len(replayed) < rounds+1 {
		t.Errorf("crashes left %d states", len(replayed))
	}
}

// checkFill checks a store that fill has filled.
func checkFill(t *testing.T, s *fsm.Store) {
	t.Helper()
	o := newOracle()
	m := o.moments[0]
	for index := uint64(1); index <= s.Applied(); index++ {
		key, v := fmt.Sprint(index%10), fmt.Sprint(index)
		m.records[fsm.NewKey("t", key)] = fsm.Record{Rev: fsm.Rev(index), Value: []byte(v)}
		m.events = append(m.events, fmt.Sprintf("put %s %s", key, v))
	}
	if err := m.check(s); err != nil {
		t.Error(err)
	}
}
