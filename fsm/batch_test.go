package fsm_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
)

// compress makes a command of what is not what EncodeBatch would compress.
func compress(t testing.TB, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(plain, []byte{1})
}

func decompress(t testing.TB, command []byte) []byte {
	t.Helper()
	r, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	plain, err := r.DecodeAll(command[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestCommandIsCBOR reads a command with another implementation of CBOR, and
// finds that this one writes the same bytes.
func TestCommandIsCBOR(t *testing.T) {
	tx := fsm.NewTxn(frozen{"t\x00present": 1 << 40})
	tx.Get("t\x00present")
	tx.Get("t\x00absent")
	tx.Put("t\x00present", bytes.Repeat([]byte{7}, 70000))
	tx.Put("t\x00empty", nil)
	tx.Delete("t\x00absent")
	tx.SetEvent(bytes.Repeat([]byte("e"), 300))
	plain := decompress(t, encode(t, &fsm.Batch{
		Node: "node-1", Incarnation: 23, Sequence: 24, Settled: 1 << 8, Txns: []*fsm.Txn{tx, fsm.NewTxn(nil)},
	}))
	want := []any{"node-1", uint64(23), uint64(24), uint64(256), []any{
		[]any{
			[]any{[]byte("t\x00present"), uint64(1 << 40), []byte("t\x00absent"), uint64(0)},
			[]any{[]byte("t\x00present"), bytes.Repeat([]byte{7}, 70000), []byte("t\x00empty"), []byte{}, []byte("t\x00absent"), nil},
			bytes.Repeat([]byte("e"), 300),
		},
		[]any{[]any{}, []any{}, nil},
	}}
	var got any
	if err := cbor.Unmarshal(plain, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %v, want %v", got, want)
	}
	again, err := fsm.Marshal(want)
	if err != nil || !bytes.Equal(again, plain) {
		t.Errorf("core deterministic encoding differs: %v", err)
	}
}

// TestMalformedCommandsAreRefused applies commands that EncodeBatch cannot have
// made, each in the midst of a call: nothing happens by them, and all around them
// does.
func TestMalformedCommandsAreRefused(t *testing.T) {
	txn := []any{[]any{}, []any{}, nil}
	batch := func(v ...any) []byte {
		b, err := fsm.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return compress(t, b)
	}
	good := batch("n", 1, 2, 1, []any{txn})
	write := func(key, value any) []byte {
		return batch("n", 1, 2, 1, []any{[]any{[]any{}, []any{key, value}, nil}})
	}
	read := func(key, rev any) []byte {
		return batch("n", 1, 2, 1, []any{[]any{[]any{key, rev}, []any{}, nil}})
	}
	event := func(event any) []byte { return batch("n", 1, 2, 1, []any{[]any{[]any{}, []any{}, event}}) }
	bad := map[string][]byte{
		"empty":                  {},
		"only the kind":          {1},
		"kind 0":                 append([]byte{0}, good[1:]...),
		"not compressed":         append([]byte{1}, decompress(t, good)...),
		"cut":                    good[:len(good)-1],
		"longer":                 append(bytes.Clone(good), 0),
		"trailing item":          compress(t, append(decompress(t, good), 0)),
		"not an array":           compress(t, []byte{0}),
		"a map":                  compress(t, []byte{0xa0}),
		"indefinite length":      compress(t, []byte{0x9f, 0xff}),
		"reserved length":        compress(t, []byte{0x9c}),
		"too few":                batch("n", 1, 2, 1),
		"too many":               batch("n", 1, 2, 1, []any{}, 0),
		"node as bytes":          batch([]byte("n"), 1, 2, 1, []any{}),
		"long node":              batch(strings.Repeat("n", 256), 1, 2, 1, []any{}),
		"negative":               batch("n", -1, 2, 1, []any{}),
		"settled itself":         batch("n", 1, 2, 2, []any{}),
		"sequence 0":             batch("n", 1, 0, 0, []any{}),
		"number not shortest":    compress(t, append([]byte{0x85, 0x61, 'n', 0x18, 1}, 2, 1, 0x80)),
		"number not shortest, 2": compress(t, append([]byte{0x85, 0x61, 'n', 0x19, 0, 0xff}, 2, 1, 0x80)),
		"transactions missing":   compress(t, []byte{0x85, 0x61, 'n', 1, 2, 1, 0x9b, 0, 0, 0, 0, 0, 0, 0xff, 0xff}),
		"too many transactions":  compress(t, append([]byte{0x85, 0x61, 'n', 1, 2, 1, 0x9a, 0, 1, 0, 0}, bytes.Repeat([]byte{0x83, 0x80, 0x80, 0xf6}, 1<<16)...)),
		"transaction too short":  batch("n", 1, 2, 1, []any{[]any{[]any{}, []any{}}}),
		"key without value":      batch("n", 1, 2, 1, []any{[]any{[]any{}, []any{[]byte("k")}, nil}}),
		"empty key written":      write([]byte{}, []byte("v")),
		"empty key read":         read([]byte{}, 1),
		"key as text":            write("k", []byte("v")),
		"long key":               write(make([]byte, fsm.MaxKey+1), []byte("v")),
		"long key read":          read(make([]byte, fsm.MaxKey+1), 1),
		"long value":             write([]byte("k"), make([]byte, fsm.MaxRecord+1)),
		"value as text":          write([]byte("k"), "v"),
		"undefined value":        write([]byte("k"), cbor.SimpleValue(23)),
		"revision as text":       read([]byte("k"), "1"),
		"empty event":            event([]byte{}),
		"long event":             event(make([]byte, ledger.MaxEvent+1)),
		"event as text":          event("event"),
		"large transaction":      batch("n", 1, 2, 1, []any{[]any{[]any{}, manyWrites(5), nil}}),
		"bomb":                   compress(t, make([]byte, 8*fsm.MaxBatch)),
	}
	for name, command := range bad {
		s := open(t, vfs.NewMem())
		results := apply(t, s, entry(t, 1, put("a", "1")), fsm.Entry{Index: 2, Command: command}, entry(t, 3, put("b", "3")))
		if want := (fsm.Result{Index: 2, Err: fsm.ErrMalformed}); !reflect.DeepEqual(results[1], want) {
			t.Errorf("%s: %+v", name, results[1])
		}
		before, _ := s.HashAt(1)
		after, ok := s.HashAt(2)
		if before.Applied = 2; !ok || after != before {
			t.Errorf("%s: %+v became %+v", name, before, after)
		}
		if results[2].Err != nil || s.Status().LedgerSize != 2 || value(t, s, "b") != "3" {
			t.Errorf("%s: what follows: %+v", name, results[2])
		}
		s.Close()
	}
	s := open(t, vfs.NewMem())
	defer s.Close()
	if got := apply(t, s, fsm.Entry{Index: 1, Command: good})[0]; got.Err != nil {
		t.Errorf("the good one: %+v", got)
	}
}

// manyWrites are writes of full records.
func manyWrites(n int) []any {
	var writes []any
	for i := range n {
		writes = append(writes, []byte{'k', byte(i)}, make([]byte, fsm.MaxRecord))
	}
	return writes
}

// TestLimits encodes and applies what is just within a limit, and refuses to
// encode what is just beyond.
func TestLimits(t *testing.T) {
	with := func(do func(tx *fsm.Txn)) *fsm.Batch {
		tx := fsm.NewTxn(frozen{})
		do(tx)
		return &fsm.Batch{Node: "n", Sequence: 1, Txns: []*fsm.Txn{tx}}
	}
	key := func(n int) fsm.Key { return fsm.Key(strings.Repeat("k", n)) }
	tests := map[string]func(over int) *fsm.Batch{
		"event": func(over int) *fsm.Batch {
			return with(func(tx *fsm.Txn) { tx.SetEvent(make([]byte, ledger.MaxEvent+over)) })
		},
		"record": func(over int) *fsm.Batch {
			return with(func(tx *fsm.Txn) { tx.Put("k", make([]byte, fsm.MaxRecord+over)) })
		},
		"key written": func(over int) *fsm.Batch {
			return with(func(tx *fsm.Txn) { tx.Delete(key(fsm.MaxKey + over)) })
		},
		"key read": func(over int) *fsm.Batch {
			return with(func(tx *fsm.Txn) { tx.Get(key(fsm.MaxKey + over)) })
		},
		"node": func(over int) *fsm.Batch {
			return &fsm.Batch{Node: strings.Repeat("n", fsm.MaxNode+over), Sequence: 1}
		},
		"transactions": func(over int) *fsm.Batch {
			return &fsm.Batch{Node: "n", Sequence: 1, Txns: repeatTxn(fsm.NewTxn(nil), fsm.MaxTxns+over)}
		},
		"transaction": func(over int) *fsm.Batch {
			return with(func(tx *fsm.Txn) {
				for i := range 3 {
					tx.Put(key(i+1), make([]byte, fsm.MaxRecord))
				}
				tx.Put("last", make([]byte, fsm.MaxRecord-200+over*200))
			})
		},
		"batch": func(over int) *fsm.Batch {
			tx := fsm.NewTxn(nil)
			for i := range 3 {
				tx.Put(key(i+1), make([]byte, fsm.MaxRecord))
			}
			return &fsm.Batch{Node: "n", Sequence: 1, Txns: repeatTxn(tx, 10+over)}
		},
	}
	for name, batch := range tests {
		s := open(t, vfs.NewMem())
		command, err := fsm.EncodeBatch(batch(0))
		if err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		} else if got := apply(t, s, fsm.Entry{Index: 1, Command: command})[0]; got.Err != nil {
			t.Errorf("%s: applied: %+v", name, got)
		}
		s.Close()
		if _, err := fsm.EncodeBatch(batch(1)); !errors.Is(err, fsm.ErrTooLarge) {
			t.Errorf("%s: beyond the limit: %v", name, err)
		}
	}
	if _, err := fsm.EncodeBatch(with(func(tx *fsm.Txn) { tx.Put("", nil) })); !errors.Is(err, fsm.ErrTooLarge) {
		t.Errorf("empty key: %v", err)
	}
}

func repeatTxn(tx *fsm.Txn, n int) []*fsm.Txn {
	txns := make([]*fsm.Txn, n)
	for i := range txns {
		txns[i] = tx
	}
	return txns
}

// FuzzApply feeds any bytes to Apply, compressed and not, on two stores in
// different company, and expects the same of both.
func FuzzApply(f *testing.F) {
	good := encode(f, &fsm.Batch{Node: "n", Incarnation: 1, Sequence: 2, Settled: 1, Txns: []*fsm.Txn{put("k", "v")}})
	f.Add(good, false)
	f.Add(decompress(f, good), true)
	f.Add([]byte{0x85, 0x61, 'n', 1, 2, 1, 0x81, 0x83, 0x82, 0x41, 'k', 0, 0x80, 0xf6}, true)
	f.Fuzz(func(t *testing.T, command []byte, packed bool) {
		if packed {
			command = compress(t, command)
		}
		if _, err := fsm.CommandLevel(command); errors.Is(err, fsm.ErrUnknownCommand) {
			return // a replica stops: TestCommandsOfLaterReleases
		}
		one, other := open(t, vfs.NewMem()), open(t, vfs.NewMem())
		defer one.Close()
		defer other.Close()
		entries := []fsm.Entry{{Index: 1, Command: command}, {Index: 2, Command: good}, {Index: 3, Command: command}}
		together := apply(t, one, entries...)
		for i, e := range entries {
			if alone := apply(t, other, e)[0]; !same(alone, together[i]) {
				t.Fatalf("entry %d: alone %+v, together %+v", i, alone, together[i])
			}
		}
		if one.Status() != other.Status() {
			t.Fatalf("%+v and %+v", one.Status(), other.Status())
		}
	})
}
