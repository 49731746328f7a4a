package intact

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// stores are a log and a stable store in one bbolt file.
type stores struct {
	t      *testing.T
	dir    string
	bolt   *raftboltdb.BoltStore
	mark   *Mark
	log    *Log
	stable *Stable
}

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{t: t, dir: t.TempDir()}
	if err := CreateMark(s.markPath()); err != nil {
		t.Fatal(err)
	}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func (s *stores) path() string     { return filepath.Join(s.dir, "stable.db") }
func (s *stores) markPath() string { return filepath.Join(s.dir, "mark") }

func (s *stores) open() (err error) {
	if s.mark, err = OpenMark(s.markPath()); err != nil {
		return err
	}
	s.bolt, err = raftboltdb.New(raftboltdb.Options{
		Path:        s.path(),
		BoltOptions: &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if err != nil {
		return errors.Join(err, s.mark.Close())
	}
	s.log = NewLog(s.bolt, s.mark, func(uint64) string { return s.path() })
	s.stable, err = OpenStable(s.bolt, s.mark, s.path())
	return errors.Join(err, s.log.Complete(), s.log.Verify(0))
}

func (s *stores) close() { s.ok(errors.Join(s.bolt.Close(), s.mark.Close())) }

func (s *stores) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// reopens expects the stores to open again, or to be refused.
func (s *stores) reopens(want error) {
	s.t.Helper()
	s.close()
	if err := s.open(); !errors.Is(err, want) {
		s.t.Fatalf("opened again with %v, not %v", err, want)
	}
}

func entries(from, to uint64) (logs []*raft.Log) {
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 3, Type: raft.LogCommand, Data: fmt.Appendf(nil, "entry %d", i)})
	}
	return logs
}

func (s *stores) read(path string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(path)
	s.ok(err)
	return b
}

func TestLogKeepsEntries(t *testing.T) {
	s := newStores(t)
	logs := entries(1, 20)
	logs[3].Extensions = []byte("more")
	s.ok(s.log.StoreLogs(logs))
	if logs[0].Extensions != nil || string(logs[3].Extensions) != "more" {
		t.Error("the caller's entries were changed")
	}
	s.reopens(nil)
	for _, want := range logs {
		var got raft.Log
		s.ok(s.log.GetLog(want.Index, &got))
		if got.Term != want.Term || got.Type != want.Type || !bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Extensions, want.Extensions) {
			t.Errorf("%+v is not %+v", got, want)
		}
	}
	s.ok(s.log.DeleteRange(1, 5))
	s.ok(s.log.DeleteRange(15, 20))
	s.reopens(nil)
	s.ok(s.log.DeleteRange(6, 14))
	s.reopens(nil)
	s.ok(s.log.StoreLogs(entries(100, 101)))
	s.reopens(nil)
}

// TestLogMissesEntries: what is gone without the log's doing is missed.
func TestLogMissesEntries(t *testing.T) {
	for name, gone := range map[string]func(s *stores) error{
		"at the end":  func(s *stores) error { return s.bolt.DeleteRange(20, 20) },
		"in between":  func(s *stores) error { return s.bolt.DeleteRange(7, 8) },
		"all of them": func(s *stores) error { return s.bolt.DeleteRange(1, 20) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStores(t)
			s.ok(s.log.StoreLogs(entries(1, 20)))
			s.ok(gone(s))
			s.reopens(ErrChanged)
		})
	}
}

func TestLogNoticesChanges(t *testing.T) {
	for name, change := range map[string]func(log *raft.Log){
		"index":      func(log *raft.Log) { log.Index++ },
		"term":       func(log *raft.Log) { log.Term ^= 1 },
		"type":       func(log *raft.Log) { log.Type ^= 1 },
		"data":       func(log *raft.Log) { log.Data[0] ^= 1 },
		"shorter":    func(log *raft.Log) { log.Data = log.Data[:3] },
		"extensions": func(log *raft.Log) { log.Extensions = append(log.Extensions, 0) },
		"checksum":   func(log *raft.Log) { log.Extensions[1] ^= 1 },
		"none":       func(log *raft.Log) { log.Extensions = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStores(t)
			s.ok(s.log.StoreLogs(entries(1, 3)))
			var stored raft.Log
			s.ok(s.bolt.GetLog(2, &stored))
			change(&stored)
			at := stored.Index
			s.ok(s.bolt.StoreLog(&stored))
			if name == "index" {
				at = 3
				stored.Index = 2
				s.ok(s.bolt.StoreLog(&stored))
				at = 2
			}
			var got raft.Log
			if err := s.log.GetLog(at, &got); name != "index" && !errors.Is(err, ErrChanged) {
				t.Errorf("answers %+v, %v", got, err)
			}
			s.reopens(ErrChanged)
		})
	}
}

// TestStable: a vote is kept, and going back to an older one is noticed.
func TestStable(t *testing.T) {
	s := newStores(t)
	if _, err := s.stable.GetUint64([]byte("CurrentTerm")); err == nil || err.Error() != "not found" {
		t.Errorf("an absent value answers %v", err)
	}
	s.ok(s.stable.SetUint64([]byte("CurrentTerm"), 7))
	s.ok(s.stable.Set([]byte("LastVoteCand"), []byte("node-1")))
	s.reopens(nil)
	before := s.read(s.path())
	s.ok(s.stable.Set([]byte("LastVoteCand"), []byte("node-2")))
	s.reopens(nil)
	term, err := s.stable.GetUint64([]byte("CurrentTerm"))
	candidate, candidateErr := s.stable.Get([]byte("LastVoteCand"))
	if err := errors.Join(err, candidateErr); err != nil || term != 7 || string(candidate) != "node-2" {
		t.Errorf("term %d, vote for %q, %v", term, candidate, err)
	}
	s.close()
	s.ok(os.WriteFile(s.path(), before, 0o600))
	if err := s.open(); !errors.Is(err, ErrChanged) {
		t.Errorf("an older vote is taken: %v", err)
	}
}

// TestMarkMayBeOlder: after a loss of power the mark may say less than the stores.
func TestMarkMayBeOlder(t *testing.T) {
	s := newStores(t)
	s.ok(s.log.StoreLogs(entries(1, 5)))
	older := s.read(s.markPath())
	s.ok(s.log.StoreLogs(entries(6, 9)))
	s.ok(s.stable.SetUint64([]byte("CurrentTerm"), 7))
	s.close()
	s.ok(os.WriteFile(s.markPath(), older, 0o600))
	s.ok(s.open())
	s.ok(s.log.DeleteRange(4, 9)) // lowers what may be older
	s.reopens(nil)
}

func TestMarkNoticesChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	if err := CreateMark(path); err != nil {
		t.Fatal(err)
	}
	for at := range markSize {
		flipped := encodeMark(0, 0)
		flipped[at] ^= 0x10
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenMark(path); !errors.Is(err, ErrChanged) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestSeal(t *testing.T) {
	for _, text := range []string{"", "text", "text\ncrc32c 00000000\n"} {
		sealed := Seal([]byte(text))
		if got, err := Unseal("file", sealed); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
		for at := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[at] ^= 0x10
			if got, err := Unseal("file", flipped); !errors.Is(err, ErrChanged) {
				t.Errorf("byte %d of %q: %q, %v", at, sealed, got, err)
			}
		}
	}
}

// TestVerifyBolt: a file whose pages do not make sense is refused, and one that is
// let through neither ends the process nor loses what it has in silence.
func TestVerifyBolt(t *testing.T) {
	s := newStores(t)
	logs := entries(1, 400)
	logs[17].Data = bytes.Repeat([]byte("long"), 5000)
	s.ok(s.log.StoreLogs(logs))
	s.ok(s.stable.SetUint64([]byte("CurrentTerm"), 7))
	s.ok(s.log.DeleteRange(1, 5))
	s.close()
	if err := VerifyBolt(s.path()); err != nil {
		t.Fatal(err)
	}
	sound := s.read(s.path())
	r := rand.New(rand.NewPCG(1, 0))
	refused := 0
	for range 400 {
		flipped := bytes.Clone(sound)
		at := r.IntN(len(flipped)/4096)*4096 + r.IntN(96) // where the structure is
		flipped[at] ^= byte(1) << r.IntN(8)
		s.ok(os.WriteFile(s.path(), flipped, 0o600))
		err := VerifyBolt(s.path())
		if err == nil {
			if err = s.open(); err == nil || s.bolt != nil {
				s.bolt.Close()
				s.mark.Close()
			}
		}
		if err == nil {
			continue
		}
		refused++
		if !errors.Is(err, ErrChanged) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if refused < 100 {
		t.Errorf("%d of 400 refused", refused)
	}
	s.ok(os.WriteFile(s.path(), sound, 0o600))
	s.ok(s.open())
}
