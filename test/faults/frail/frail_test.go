package frail

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// mount mounts a disk for a test, which it skips where that is not permitted.
func mount(t *testing.T, size int64) (string, *Disk) {
	t.Helper()
	dir := t.TempDir()
	d, err := Mount(dir, size)
	if err != nil {
		t.Skipf("not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir, d
}

func write(t *testing.T, path, text string, sync bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func syncDir(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.(*os.PathError).Err.Error()
	}
	return string(b)
}

// TestLosePower: what was synced is there whatever chance wills, and sometimes the
// rest is, and sometimes it is not.
func TestLosePower(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(40) {
		dir, d := mount(t, 1<<20)
		r := rand.New(rand.NewPCG(seed, 0))
		in := func(name string) string { return filepath.Join(dir, name) }
		write(t, in("kept"), "synced", true)
		write(t, in("old"), "renamed", true)
		syncDir(t, dir)
		write(t, in("nameless"), "synced", true)
		if err := errors.Join(os.Rename(in("old"), in("new")), os.Link(in("kept"), in("link"))); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(in("kept"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("SYNCED and more"), 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
		d.LosePower(r)
		kept := read(in("kept"))
		switch kept {
		case "synced", "SYNCED", "SYNCED and more", "synced\x00\x00\x00\x00\x00\x00\x00\x00\x00":
		default:
			t.Errorf("seed %d: the synced file has %q", seed, kept)
		}
		seen["kept: "+kept]++
		seen["nameless: "+read(in("nameless"))]++
		old, renamed := read(in("old")), read(in("new"))
		if (old == "renamed") == (renamed == "renamed") {
			t.Errorf("seed %d: %q under the old name, %q under the new one", seed, old, renamed)
		}
		seen["new: "+renamed]++
		if d.used != int64(len(d.Files()))-int64(btoi(read(in("link")) != syscall.ENOENT.Error())) {
			t.Errorf("seed %d: %d pages are used by %v", seed, d.used, d.Files())
		}
	}
	for _, want := range []string{
		"kept: synced", "kept: SYNCED and more", "nameless: synced", "nameless: no such file or directory",
		"new: renamed", "new: no such file or directory",
	} {
		if seen[want] == 0 {
			t.Errorf("never saw %q of %v", want, seen)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestContent: a file holds what was written, however it was cut and extended.
func TestContent(t *testing.T) {
	dir, d := mount(t, 1<<22)
	r := rand.New(rand.NewPCG(3, 3))
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []byte
	for i := range 400 {
		switch r.IntN(8) {
		case 0:
			size := r.IntN(50_000)
			want = append(want, make([]byte, max(0, size-len(want)))...)[:size]
			err = f.Truncate(int64(size))
		case 1:
			err = f.Sync()
		default:
			at := min(r.IntN(40_000), len(want)+r.IntN(5000))
			b := bytes.Repeat([]byte{byte(i) | 1}, 1+r.IntN(9000))
			want = append(want, make([]byte, max(0, at+len(b)-len(want)))...)
			copy(want[at:], b)
			_, err = f.WriteAt(b, int64(at))
		}
		if err != nil {
			t.Fatal(err)
		}
		n := d.find("file")
		got := make([]byte, len(want)+1)
		if got = got[:n.read(got, 0)]; !bytes.Equal(got, want) {
			t.Fatalf("step %d: the disk has something else", i)
		}
		if got := read(f.Name()); got != string(want) {
			t.Fatalf("step %d: the file has something else", i)
		}
	}
}

func TestFail(t *testing.T) {
	dir, d := mount(t, 1<<20)
	if err := os.Mkdir(filepath.Join(dir, "ill"), 0o700); err != nil {
		t.Fatal(err)
	}
	well, ill := filepath.Join(dir, "well"), filepath.Join(dir, "ill", "file")
	write(t, well, "text", true)
	write(t, ill, "text", true)
	f, err := os.OpenFile(ill, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d.Fail(Write, "ill/")
	if _, err := f.WriteAt([]byte("T"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("writing: %v", err)
	}
	write(t, well, "other", true)
	d.Fail(Sync, "ill/")
	if _, err := f.WriteAt([]byte("T"), 0); err != nil {
		t.Error(err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("syncing: %v", err)
	}
	d.Fail(Read, "ill/")
	if got := read(ill); got != syscall.EIO.Error() {
		t.Errorf("reading: %q", got)
	}
	if got := read(well); got != "other" {
		t.Errorf("reading what is well: %q", got)
	}
	d.Heal()
	if got := read(ill); got != "Text" {
		t.Errorf("reading afterwards: %q", got)
	}
}

func TestHang(t *testing.T) {
	dir, d := mount(t, 1<<20)
	d.Hang(Sync, "")
	path := filepath.Join(dir, "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	synced := make(chan error)
	go func() { synced <- f.Sync() }()
	if _, err := f.WriteString("text"); err != nil { // the rest goes on
		t.Fatal(err)
	}
	select {
	case err := <-synced:
		t.Fatalf("did not hang: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	d.Heal()
	if err := <-synced; err != nil {
		t.Error(err)
	}
}

func TestFull(t *testing.T) {
	dir, d := mount(t, 1<<20)
	path := filepath.Join(dir, "file")
	d.Fill(2 * pageSize)
	if err := os.WriteFile(path, make([]byte, 3*pageSize), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("filling: %v", err)
	}
	d.Empty()
	if err := os.WriteFile(path, make([]byte, 3*pageSize), 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
	syncDir(t, dir)
	if d.mu.Lock(); d.used != 0 {
		t.Errorf("%d pages are used by nothing", d.used)
	}
	d.mu.Unlock()
}

// TestRot: one bit differs until it is restored or written over.
func TestRot(t *testing.T) {
	dir, d := mount(t, 1<<20)
	path := filepath.Join(dir, "file")
	text := string(bytes.Repeat([]byte("text"), 3000))
	write(t, path, text, true)
	r := rand.New(rand.NewPCG(1, 1))
	for range 10 {
		if _, err := d.Rot("file", r); err != nil {
			t.Fatal(err)
		}
		if got := read(path); got == text || len(got) != len(text) {
			t.Error("nothing has changed, or the length")
		}
		d.Restore()
		if got := read(path); got != text {
			t.Error("not restored")
		}
	}
	if _, err := d.Rot("file", r); err != nil {
		t.Fatal(err)
	}
	write(t, path, "new", true)
	d.Restore()
	if got := read(path); got != "new" {
		t.Errorf("%q after restoring what was written over", got)
	}
}

// TestBolt: a database that maps its file into memory works, and keeps what it
// committed when power is lost. It is another process's: a process that waits for
// a page of a disk that it serves itself may wait for ever.
func TestBolt(t *testing.T) {
	if path := os.Getenv(boltFile); path != "" {
		fillBolt(t, path)
		return
	}
	dir, d := mount(t, 8<<20)
	path := filepath.Join(dir, "db")
	write(t, path, "", true)
	syncDir(t, dir)
	r := rand.New(rand.NewPCG(2, 2))
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBolt$")
		cmd.Env = append(os.Environ(), boltFile+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		d.LosePower(r)
	}
}

// boltFile names the database to the process that fills it.
const boltFile = "COFRE_TEST_BOLT"

// fillBolt looks whether all is there that was committed, and commits more.
func fillBolt(t *testing.T, path string) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("bucket"))
			if err != nil {
				return err
			}
			n, err := b.NextSequence()
			if err != nil {
				return err
			}
			for i := range n - 1 {
				if v := b.Get([]byte{byte(i)}); len(v) != 1000 || v[500] != byte(i) {
					t.Errorf("key %d of %d: %d bytes", i, n, len(v))
				}
			}
			return b.Put([]byte{byte(n - 1)}, bytes.Repeat([]byte{byte(n - 1)}, 1000))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte("bucket")).Sequence(); n%20 != 0 {
			t.Errorf("%d keys", n)
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
