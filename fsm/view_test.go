package fsm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

// commit applies a transaction as the next entry.
func commit(t testing.TB, s *fsm.Store, tx *fsm.Txn) fsm.Outcome {
	t.Helper()
	res := apply(t, s, entry(t, s.Applied()+1, tx))[0]
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	return res.Outcomes[0]
}

func TestScan(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	keys := []fsm.Key{
		"alias", fsm.NewKey("alias", ""), fsm.NewKey("alias", "a"), fsm.NewKey("alias", "a", "1"), fsm.NewKey("alias", "a", "2"),
		fsm.NewKey("alias", "a\x01"), fsm.NewKey("alias", "ab", "1"), fsm.NewKey("alias", "b"), fsm.NewKey("alias", "\xff", "z"), "alias2", fsm.NewKey("aliasx", "a"),
	}
	tx := fsm.NewTxn(s)
	for _, key := range keys {
		tx.Put(key, []byte(key))
	}
	commit(t, s, tx)
	in := keys[:9]
	tests := []struct {
		prefix, after fsm.Key
		want          []fsm.Key
	}{
		{"alias", "", in},
		{"alias", "alias", in[1:]},
		{"alias", in[3], in[4:]},
		{"alias", "alias\x00a\x001a", in[4:]},
		{"alias", in[8], nil},
		{"alias", "alias2", nil},
		{"alias", "zzz", nil},
		{"alias", "aaa", in},
		{in[2], "", in[2:5]},
		{in[2], in[2], in[3:5]},
		{in[2], in[3], in[4:5]},
		{fsm.NewKey("alias", "\xff"), "", in[8:9]},
		{fsm.NewKey("alias", "none"), "", nil},
		{"ali", "", nil},
		{"alias2", "", keys[9:10]},
	}
	for _, test := range tests {
		for limit := 1; limit <= len(keys)+1; limit++ {
			var got []fsm.Key
			err := s.Scan(test.prefix, test.after, func(key fsm.Key, rec *fsm.Record) (bool, error) {
				if string(rec.Value) != string(key) || rec.Rev != 1 {
					t.Errorf("record %q is %+v", key, rec)
				}
				got = append(got, key)
				return len(got) < limit, nil
			})
			if want := test.want[:min(limit, len(test.want))]; err != nil || !slices.Equal(got, want) {
				t.Errorf("scan %q after %q, %d of: %q, %v; want %q", test.prefix, test.after, limit, got, err, want)
			}
		}
	}
	fail := errors.New("no more")
	if err := s.Scan("alias", "", func(fsm.Key, *fsm.Record) (bool, error) { return true, fail }); err != fail {
		t.Errorf("err = %v", err)
	}
}

func TestEvents(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if err := s.Events(0, func(int64, []byte) (bool, error) { return true, errors.New("called") }); err != nil {
		t.Errorf("empty ledger: %v", err)
	}
	const size = 900
	event := func(i int64) []byte { return fmt.Appendf(nil, "%0*d", int(1+i%7*400), i) } // more than one bundle an entry
	for index, n := uint64(1), int64(0); n < size; index++ {
		var txns []*fsm.Txn
		for range min(1+int64(index)*23, size-n) {
			tx := fsm.NewTxn(s)
			tx.SetEvent(event(n))
			txns = append(txns, tx, fsm.NewTxn(s)) // the second one without an event
			n++
		}
		apply(t, s, entry(t, index, txns...))
	}
	s.Close()
	s = open(t, fs)
	defer s.Close()
	for i := range int64(size) {
		got, err := s.Event(i)
		if err != nil || string(got) != string(event(i)) {
			t.Fatalf("event %d is %q, %v", i, got, err)
		}
	}
	for _, i := range []int64{-1, size, 1 << 62} {
		if _, err := s.Event(i); !errors.Is(err, fsm.ErrNoRecord) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	for _, from := range []int64{-5, 0, 1, 23, 24, 25, 500, size - 1, size, size + 1, 1 << 62} {
		for _, limit := range []int64{1, 100, size + 1} {
			next, count := max(from, 0), int64(0)
			err := s.Events(from, func(position int64, got []byte) (bool, error) {
				if position != next || string(got) != string(event(position)) {
					t.Fatalf("from %d: event %d (%d expected) is %q", from, position, next, got)
				}
				next++
				count++
				return count < limit, nil
			})
			if want := min(max(size-max(from, 0), 0), limit); err != nil || count != want {
				t.Errorf("from %d: %d events, want %d: %v", from, count, want, err)
			}
		}
	}
}

// thing is a record of a table.
type thing struct {
	Name string `cbor:"1,keyasint"`
}

var things = fsm.Table[thing]{Name: "thing"}

func TestTable(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	tx := fsm.NewTxn(s)
	for _, id := range []string{"a", "b", "c"} {
		if err := things.Put(tx, &thing{Name: "the " + id}, "x", id); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := things.Get(tx, "x", "b"); err != nil || got.Name != "the b" {
		t.Errorf("own write: %+v %v", got, err)
	}
	commit(t, s, tx)

	first, rev, err := things.Peek(s, "x", "a")
	again, _, _ := things.Peek(s, "x", "a")
	if err != nil || rev != 1 || first.Name != "the a" || first != again {
		t.Errorf("%+v at %d, %v; decoded twice: %v", first, rev, err, first != again)
	}
	tx = fsm.NewTxn(s)
	things.Delete(tx, "x", "b")
	if err := things.Touch(tx, "x", "a"); err != nil {
		t.Fatal(err)
	}
	if err := things.Touch(tx, "x", "none"); err != nil {
		t.Fatal(err)
	}
	commit(t, s, tx)
	touched, rev, err := things.Peek(s, "x", "a")
	if err != nil || rev != 2 || *touched != *first {
		t.Errorf("touched: %+v at %d, %v", touched, rev, err)
	}
	var names []string
	err = things.Scan(s, []string{"x"}, nil, func(id []string, v *thing) (bool, error) {
		names = append(names, id[0]+id[1]+":"+v.Name)
		return true, nil
	})
	if err != nil || !slices.Equal(names, []string{"xa:the a", "xc:the c"}) {
		t.Errorf("scan: %q %v", names, err)
	}
	if gone, err := things.Get(fsm.NewTxn(s), "x", "b"); gone != nil || err != nil {
		t.Errorf("deleted: %+v %v", gone, err)
	}
}

// TestGuards tells for each change to a record whether a transaction that had
// read it commits: built on the state before, and on the state after.
func TestGuards(t *testing.T) {
	change := func(do func(tx *fsm.Txn)) func(t *testing.T, s *fsm.Store) {
		return func(t *testing.T, s *fsm.Store) {
			tx := fsm.NewTxn(s)
			do(tx)
			commit(t, s, tx)
		}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, s *fsm.Store)
		want   fsm.Outcome
	}{
		{"nothing", func(*testing.T, *fsm.Store) {}, fsm.Committed},
		{"other record", change(func(tx *fsm.Txn) { tx.Put("t\x00other", nil) }), fsm.Committed},
		{"written", change(func(tx *fsm.Txn) { tx.Put("t\x00k", []byte("new")) }), fsm.Conflict},
		{"written the same", change(func(tx *fsm.Txn) { tx.Put("t\x00k", []byte("old")) }), fsm.Conflict},
		{"deleted", change(func(tx *fsm.Txn) { tx.Delete("t\x00k") }), fsm.Conflict},
		{"deleted and made again", func(t *testing.T, s *fsm.Store) {
			change(func(tx *fsm.Txn) { tx.Delete("t\x00k") })(t, s)
			change(func(tx *fsm.Txn) { tx.Put("t\x00k", []byte("old")) })(t, s)
		}, fsm.Conflict},
		{"absent one made", change(func(tx *fsm.Txn) { tx.Put("t\x00absent", nil) }), fsm.Conflict},
		{"absent one deleted", change(func(tx *fsm.Txn) { tx.Delete("t\x00absent") }), fsm.Committed},
		{"read", change(func(tx *fsm.Txn) { tx.Get("t\x00k") }), fsm.Committed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, vfs.NewMem())
			defer s.Close()
			commit(t, s, put("k", "old"))
			build := func() *fsm.Txn {
				tx := fsm.NewTxn(s)
				tx.Get("t\x00k")
				tx.Get("t\x00absent")
				tx.Put("t\x00result", []byte("done"))
				tx.SetEvent([]byte("done"))
				return tx
			}
			tx := build()
			test.change(t, s)
			size := s.Status().LedgerSize
			if got := commit(t, s, tx); got != test.want {
				t.Errorf("built before: %v, want %v", got, test.want)
			}
			if effect := value(t, s, "result") == "done"; effect != (test.want == fsm.Committed) || effect != (s.Status().LedgerSize > size) {
				t.Errorf("built before: effect %v", effect)
			}
			if got := commit(t, s, build()); got != fsm.Committed {
				t.Errorf("built after: %v", got)
			}
		})
	}
}

// TestTxnsOfABatchSeeEachOther: a batch is as its transactions one by one.
func TestTxnsOfABatchSeeEachOther(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	increment := func() *fsm.Txn {
		tx := fsm.NewTxn(s)
		rec, err := tx.Get("t\x00n")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if rec != nil {
			fmt.Sscan(string(rec.Value), &n)
		}
		tx.Put("t\x00n", fmt.Append(nil, n+1))
		return tx
	}
	for range 5 {
		next := s.Applied() + 1
		results := apply(t, s, entry(t, next, increment(), increment()), entry(t, next+1, increment()))
		if got := slices.Concat(results[0].Outcomes, results[1].Outcomes); !slices.Equal(got, []fsm.Outcome{fsm.Committed, fsm.Conflict, fsm.Conflict}) {
			t.Fatalf("outcomes %v", got)
		}
	}
	if got := value(t, s, "n"); got != "5" {
		t.Errorf("n = %s", got)
	}
}

func TestRollbackKeepsReads(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	commit(t, s, put("k", "old"))
	refused := func() *fsm.Txn {
		tx := fsm.NewTxn(s)
		tx.Get("t\x00k")
		tx.Put("t\x00k", []byte("new"))
		tx.Rollback()
		tx.SetEvent([]byte("refused"))
		return tx
	}
	late := refused()
	if got := commit(t, s, refused()); got != fsm.Committed || value(t, s, "k") != "old" {
		t.Errorf("%v, k = %s", got, value(t, s, "k"))
	}
	commit(t, s, put("k", "other"))
	if got := commit(t, s, late); got != fsm.Conflict {
		t.Errorf("a refusal that is no longer true: %v", got)
	}
}

func TestHashAtForgets(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	if _, ok := s.HashAt(0); ok {
		t.Error("knows index 0")
	}
	for index := uint64(1); index <= 4100; index++ {
		if err := s.Skip(index); err != nil {
			t.Fatal(err)
		}
	}
	for index, known := range map[uint64]bool{1: false, 4: false, 5: true, 4100: true, 4101: false} {
		if status, ok := s.HashAt(index); ok != known || ok && status.Applied != index {
			t.Errorf("index %d: %v %+v", index, ok, status)
		}
	}
}
