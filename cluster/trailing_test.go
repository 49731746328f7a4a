package cluster

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// busyDisk is the Disk of a node that calls install before it takes a snapshot
// from a leader.
type busyDisk struct {
	Disk
	install func()
}

// FS implements Disk.
func (d *busyDisk) FS() vfs.FS { return &busyFS{FS: d.Disk.FS(), install: d.install} }

type busyFS struct {
	vfs.FS
	install func()
}

// Create implements vfs.FS.
func (fs *busyFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.Contains(name, "snapshots") && strings.HasSuffix(name, "stream") {
		fs.install()
	}
	return fs.FS.Create(name, category)
}

// TestInstallUnderLoad: each installation takes as long as a multiple of what a
// compacted log keeps is committed in. The log waits for who is being installed.
func TestInstallUnderLoad(t *testing.T) {
	eachLogStore(t, func(t *testing.T, edit func(*Config)) {
		f := newCluster(t, 1, compacting(func(c *Config) {
			edit(c)
			c.Timing.Heartbeat, c.Timing.Election = time.Second, time.Second // a tenth of the time for an installation
		}))
		f.outrun(10)
		leader := f.leader()
		var installs atomic.Int64
		late := f.add()
		late.cfg.Disk = &busyDisk{Disk: files{kind: late.cfg.LogStore, logger: late.cfg.Logger}, install: func() {
			installs.Add(1)
			// More than the log keeps behind a snapshot and between two.
			if err := leader.node.Wait(f.ctx(), leader.node.store.Applied()+40); err != nil {
				t.Error(err)
			}
		}}
		late.ok(Join(f.ctx(), late.cfg, f.token(time.Hour)), "Join")
		var stop atomic.Bool
		var writer sync.WaitGroup
		defer writer.Wait()
		defer stop.Store(true)
		writer.Go(func() {
			for ctx := f.ctx(); !stop.Load(); {
				if _, err := leader.transact(ctx, nil); err != nil && !stop.Load() {
					t.Error(err)
					return
				}
			}
		})
		late.open()
		f.await("the node that was installed to vote", func() error { return late.node.Ready() })
		if n := installs.Load(); n > 4 {
			t.Errorf("%d installations", n)
		}
	})
}

// TestNeeds: what the log keeps for members.
func TestNeeds(t *testing.T) {
	began := time.Now()
	f := newFollowers(time.Minute)
	wants := func(when string, last, held, want uint64) {
		t.Helper()
		if got := f.needs(last, held); got != want {
			t.Errorf("%s: from %d on, want %d", when, got, want)
		}
	}
	wants("nobody is known", 100, 50, 101)
	f.note(map[string]*report{"a": {Applied: 80}, "b": {Applied: 100}}, began)
	wants("one is behind", 100, 50, 81)
	wants("one is too far behind", 100, 10, 90)
	f.note(map[string]*report{"b": {Applied: 120}}, began.Add(50*time.Second))
	wants("one is silent", 120, 50, 81)
	f.note(map[string]*report{"b": {Applied: 130}}, began.Add(70*time.Second))
	wants("one is gone", 130, 50, 131)
	f.forget()
	wants("another leads", 130, 50, 131)
}
