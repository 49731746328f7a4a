package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

var copies atomic.Int64

// checkpoint answers the stream of a store's checkpoint. The store's file system
// has to be given where it is not a new one of its own.
func checkpoint(t testing.TB, s *fsm.Store) []byte {
	t.Helper()
	dir := fmt.Sprintf("/data/copy-%d", copies.Add(1))
	fs := fsm.FS(s)
	if _, err := s.Checkpoint(dir); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := fsm.WriteCheckpoint(fs, dir, &stream); err != nil {
		t.Fatal(err)
	}
	return stream.Bytes()
}

// TestDamagedStreamIsRefused cuts and changes a stream everywhere, and finds the
// old state as it was.
func TestDamagedStreamIsRefused(t *testing.T) {
	source := open(t, vfs.NewMem())
	defer source.Close()
	fill(t, source, 300)
	stream := checkpoint(t, source)

	fs := vfs.NewMem()
	s := open(t, fs)
	defer s.Close()
	fill(t, s, 20)
	before := s.Status()
	refuse := func(what string, r io.Reader, want error) {
		t.Helper()
		if err := s.Restore(r); !errors.Is(err, want) {
			t.Fatalf("%s: err = %v, want %v", what, err, want)
		}
		if s.Status() != before || value(t, s, "5") != "15" {
			t.Fatalf("%s: state changed", what)
		}
		if names, _ := fs.List("/data/state"); len(names) != 2 {
			t.Fatalf("%s: leaves %v", what, names)
		}
	}
	for cut := 0; cut < len(stream); cut += 1 + cut/8 {
		refuse(fmt.Sprint("cut at ", cut), bytes.NewReader(stream[:cut]), fsm.ErrStream)
	}
	for at := 0; at < len(stream); at += 1 + at/8 {
		damaged := bytes.Clone(stream)
		damaged[at] ^= 0x10
		refuse(fmt.Sprint("changed at ", at), bytes.NewReader(damaged), fsm.ErrStream)
	}
	refuse("longer", bytes.NewReader(append(bytes.Clone(stream), 0)), fsm.ErrStream)
	refuse("broken connection", io.MultiReader(bytes.NewReader(stream[:len(stream)/2]), iotest.ErrReader(io.ErrClosedPipe)), io.ErrClosedPipe)

	fill(t, s, 21)
	if err := s.Restore(iotest.OneByteReader(bytes.NewReader(stream))); err != nil {
		t.Fatal(err)
	}
	if s.Status() != source.Status() {
		t.Errorf("restored %+v of %+v", s.Status(), source.Status())
	}
}

// TestHostileNamesAreRefused: a stream writes nowhere but into its folder.
func TestHostileNamesAreRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	defer s.Close()
	for _, name := range []string{"../evil", "/evil", "a/b", `a\b`, "..", ".hidden", "LOCK", "a\x00b"} {
		err := s.Restore(bytes.NewReader(streamOf(name)))
		if !errors.Is(err, fsm.ErrStream) {
			t.Errorf("%q: err = %v", name, err)
		}
	}
	if err := s.Restore(bytes.NewReader(streamOf("MANIFEST-1", "MANIFEST-1"))); !errors.Is(err, fsm.ErrStream) {
		t.Errorf("name twice: err = %v", err)
	}
}

// streamOf is a whole stream of files of one byte.
func streamOf(names ...string) []byte {
	b := []byte("cofre checkpoint 1\n")
	for _, name := range names {
		b = append(append(b, byte(len(name))), name...)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 1, 'x')
	}
	b = append(b, 0)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// TestStreamOfRubbishIsRefused: a stream may be whole and hold no database.
func TestStreamOfRubbishIsRefused(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	fill(t, s, 3)
	before := s.Status()
	for _, stream := range [][]byte{streamOf(), streamOf("x"), streamOf("CURRENT", "MANIFEST-000001"), streamOf("marker.manifest.000001.MANIFEST-000001")} {
		if err := s.Restore(bytes.NewReader(stream)); err == nil {
			t.Error("rubbish was restored")
		}
		if s.Status() != before {
			t.Errorf("state is %+v, was %+v", s.Status(), before)
		}
	}
}
