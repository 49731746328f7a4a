package fsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cofre-kms/cofre/fsm"
)

var errDisk = errors.New("no space left on device")

// broken is a disk on which, once it breaks, some operations fail for good.
type broken struct {
	*vfs.MemFS
	toggle *errorfs.Toggle
}

func newBroken(fails func(op errorfs.Op) bool) (*broken, vfs.FS) {
	b := &broken{MemFS: vfs.NewCrashableMem()}
	b.toggle = &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails(op) {
			return errDisk
		}
		return nil
	})}
	return b, errorfs.Wrap(b.MemFS, b.toggle)
}

// disks are ways in which a disk can refuse to write. Directories are left out:
// where one cannot be synced Pebble panics, which stops the replica too.
var disks = map[string]func(op errorfs.Op) bool{
	"full": func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFilePreallocate
	},
	"tables fail": func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst")
	},
	"manifest fails": func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "MANIFEST")
	},
	"manifest cannot be synced": func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileSync && strings.Contains(op.Path, "MANIFEST")
	},
}

// TestDiskFailureStopsTheReplica: whatever fails behind the store's back, a call
// says so, every later one too, and what had become durable is there afterwards.
func TestDiskFailureStopsTheReplica(t *testing.T) {
	for name, fails := range disks {
		t.Run(name+"/checkpoint", func(t *testing.T) {
			failDisk(t, fails, func(s *fsm.Store) error {
				_, err := s.Checkpoint("/data/second")
				return err
			})
		})
		t.Run(name+"/apply", func(t *testing.T) {
			failDisk(t, fails, applyUntilError)
		})
	}
}

// applyUntilError applies more than a few memtables hold: one has to be flushed
// on the way.
func applyUntilError(s *fsm.Store) error {
	value := make([]byte, 200<<10)
	for range 2000 {
		index := s.Applied() + 1
		tx := fsm.NewTxn(nil)
		tx.Put(fsm.NewKey("t", "big"), value)
		command, err := fsm.EncodeBatch(&fsm.Batch{Node: "n", Incarnation: 1, Sequence: index, Txns: []*fsm.Txn{tx}})
		if err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		if _, err := s.Apply([]fsm.Entry{{Index: index, Command: command}}); err != nil {
			return err
		}
	}
	return nil
}

func failDisk(t *testing.T, fails func(op errorfs.Op) bool, provoke func(*fsm.Store) error) {
	disk, fs := newBroken(fails)
	s := open(t, fs)
	fill(t, s, 20)
	if _, err := s.Checkpoint("/data/first"); err != nil {
		t.Fatal(err)
	}
	durable := s.Status()
	fill(t, s, 30)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	disk.toggle.On()
	defer disk.toggle.Off() // else Pebble tries to flush for ever
	if err := provoke(s); err == nil {
		t.Fatal("nothing failed")
	}
	if s.Err() == nil {
		t.Error("the store takes itself for sound")
	}
	if _, err := s.Apply([]fsm.Entry{entry(t, s.Applied()+1)}); err == nil {
		t.Error("Apply goes on")
	}
	if err := s.Skip(s.Applied() + 1); err == nil {
		t.Error("Skip goes on")
	}
	if _, err := s.Checkpoint("/data/third"); err == nil {
		t.Error("Checkpoint goes on")
	}
	if err := s.Restore(bytes.NewReader(nil)); err == nil || errors.Is(err, fsm.ErrStream) {
		t.Errorf("Restore goes on: %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close succeeds")
	}
	r := open(t, disk.CrashClone(vfs.CrashCloneCfg{}))
	defer r.Close()
	if r.Applied() < durable.Applied {
		t.Errorf("%+v is left of %+v", r.Status(), durable)
	}
}

// TestDamagedTableIsNoticed changes each byte block of the tables on the disk: a
// read answers what was written or an error, never something else.
func TestDamagedTableIsNoticed(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	fill(t, s, 300)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	folder := "/data/state/state-000001"
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		info, err := fs.Stat(fs.PathJoin(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(0); at < info.Size(); at += 509 {
			disk := fs.CrashClone(vfs.CrashCloneCfg{})
			flip(t, disk, fs.PathJoin(folder, name), at)
			damaged += checkDamaged(t, disk, at)
		}
	}
	if damaged == 0 {
		t.Error("no damage was noticed")
	}
}

// flip changes a byte.
func flip(t *testing.T, fs vfs.FS, path string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// checkDamaged reads everything.
func checkDamaged(t *testing.T, fs vfs.FS, at int64) (noticed int) {
	t.Helper()
	s, err := tryOpen(fs)
	if err != nil {
		return 1
	}
	defer s.Close()
	for i := range 10 {
		rec, err := s.Get(fsm.NewKey("t", fmt.Sprint(i)))
		if err != nil {
			noticed = 1
			continue
		}
		if want := fmt.Sprint(290 + i + 10*btoi(i == 0)); rec == nil || string(rec.Value) != want {
			t.Errorf("byte %d changed: record %d is %+v", at, i, rec)
		}
	}
	err = s.Events(0, func(i int64, event []byte) (bool, error) {
		if want := fmt.Sprintf("put %d %d", (i+1)%10, i+1); string(event) != want {
			t.Errorf("byte %d changed: event %d is %q", at, i, event)
		}
		return true, nil
	})
	if err != nil {
		noticed = 1
	}
	return noticed
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
