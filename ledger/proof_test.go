package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// grown is a tree of records "record 0", "record 1" and so on.
func grown(t *testing.T, size int64) *store {
	t.Helper()
	s, tree := newStore(), new(ledger.Tree)
	for n := range size {
		h := tlog.RecordHash(record(n))
		s.leaves = append(s.leaves, h)
		tree.Append(h)
	}
	s.drain(t, tree)
	return s
}

func record(n int64) []byte { return fmt.Appendf(nil, "record %d", n) }

// checkpointOf signs what the tree was at a size.
func (s *signed) checkpointOf(t *testing.T, tree *store, size int64, nodes ...string) []byte {
	t.Helper()
	root, err := tlog.TreeHash(size, tree.reader())
	must(t, err)
	s.Size, s.Root = size, root
	return s.by(t, nodes...)
}

func TestProofConvincesAnOutsider(t *testing.T) {
	tree, s := grown(t, 700), newSigned(t, 3)
	keys := parseKeys(t, s.keys())
	for _, size := range []int64{1, 2, 255, 256, 257, 700} {
		checkpoint := s.checkpointOf(t, tree, size, "node1", "node2")
		for _, index := range []int64{0, size / 2, size - 1} {
			p, err := ledger.Prove(index, checkpoint, tree.reader())
			must(t, err)
			if index > 0 {
				p.Extra = record(index)
			}
			text := p.Marshal()

			var theirs proof.TLogProof // another implementation of the format
			must(t, theirs.Unmarshal(text))
			if int64(theirs.Index) != index || !bytes.Equal(theirs.Marshal(), text) {
				t.Errorf("another implementation reads %+v", theirs)
			}

			parsed, err := ledger.ParseProof(text)
			must(t, err)
			if !bytes.Equal(parsed.Extra, p.Extra) {
				t.Errorf("the extra data %q became %q", p.Extra, parsed.Extra)
			}
			if c, err := parsed.Verify(record(index), keys); err != nil || c.Size != size {
				t.Errorf("record %d of %d: %+v, %v", index, size, c, err)
			}
			if _, err := parsed.Verify(record(index+1), keys); err == nil {
				t.Errorf("record %d of %d: another record is proved", index, size)
			}
			parsed.Index++
			if _, err := parsed.Verify(record(index), keys); err == nil {
				t.Errorf("record %d of %d: it is proved at another index", index, size)
			}
		}
		if _, err := ledger.Prove(size, checkpoint, tree.reader()); err == nil {
			t.Errorf("record %d of %d is proved", size, size)
		}
	}
	alone := s.checkpointOf(t, tree, 700, "node1")
	p, err := ledger.Prove(3, alone, tree.reader())
	must(t, err)
	if _, err := p.Verify(record(3), keys); !errors.Is(err, ledger.ErrUntrusted) {
		t.Errorf("one node alone proves a record: %v", err)
	}
}

func TestAuditFindsEveryChange(t *testing.T) {
	const size = 600
	tree, s := grown(t, size+5), newSigned(t, 1)
	_ = s.checkpointOf(t, tree, size, "node1")
	audit := func(n int64, change func(int64) []byte) error {
		a := ledger.NewAudit(s.Checkpoint)
		for i := range n {
			a.Add(change(i))
		}
		return a.Finish()
	}
	for _, n := range []int64{size, size + 5} {
		if err := audit(n, record); err != nil {
			t.Errorf("%d records: %v", n, err)
		}
	}
	swapped := func(a, b int64) func(int64) []byte {
		return func(i int64) []byte {
			switch i {
			case a:
				i = b
			case b:
				i = a
			}
			return record(i)
		}
	}
	for name, err := range map[string]error{
		"the tail is gone":     audit(size-1, record),
		"nothing is there":     audit(0, record),
		"two are swapped":      audit(size, swapped(7, 8)),
		"the last two are":     audit(size, swapped(size-2, size-1)),
		"one byte is another":  audit(size, func(i int64) []byte { b := record(i); b[0] ^= byte(i / (size - 1)); return b }),
		"one is there twice":   audit(size, func(i int64) []byte { return record(max(i-1, 0)) }),
		"the first is another": audit(size, swapped(0, size+1)),
	} {
		if !errors.Is(err, ledger.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]ledger.TilePath{
		"tile/0/000":                     {Width: 256},
		"tile/0/x001/x234/067":           {N: 1234067, Width: 256},
		"tile/2/x001/000.p/1":            {Level: 2, N: 1000, Width: 1},
		"tile/entries/x001/x234/067.p/9": {Entries: true, N: 1234067, Width: 9},
		"tile/63/255":                    {Level: 63, N: 255, Width: 256},
	} {
		if got, err := ledger.ParseTilePath(path); err != nil || got != want || got.String() != path {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/001", "tile/0/001/002",
		"tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000/", "/tile/0/000", "tile/entries/x1/000",
		"tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/../000", "tile/0/0x0",
	} {
		if got, err := ledger.ParseTilePath(path); !errors.Is(err, ledger.ErrMalformed) {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

// TestTilesGiveTheTree makes the root of a tree from nothing but its tiles, as
// clients do.
func TestTilesGiveTheTree(t *testing.T) {
	const size = 70_000
	tree := grown(t, size)
	paths := 0
	served := tlog.TileHashReader(tlog.Tree{N: size, Hash: mustHash(t, size, tree)}, tileServer(func(tile tlog.Tile) ([]byte, error) {
		paths++
		p := ledger.TilePath{Level: tile.L, N: tile.N, Width: tile.W}
		if !p.Exists(size) {
			t.Errorf("%v does not exist", p)
		}
		return ledger.EncodeTile(p, size, tree.reader())
	}))
	for _, smaller := range []int64{1, 256, 300, 65_536, 69_999} {
		if got, err := tlog.TreeHash(smaller, served); err != nil || got != mustHash(t, smaller, tree) {
			t.Errorf("at %d: %v, %v", smaller, got, err)
		}
	}
	if paths == 0 {
		t.Error("no tile was asked for")
	}
	for p, exists := range map[ledger.TilePath]bool{ // the example of C2SP tlog-tiles
		{N: 272, Width: 256}: true, {N: 273, Width: 112}: true, {N: 273, Width: 113}: false, {N: 273, Width: 256}: false,
		{Level: 1, Width: 256}: true, {Level: 1, N: 1, Width: 17}: true, {Level: 1, N: 1, Width: 18}: false,
		{Level: 2, Width: 1}: true, {Level: 2, Width: 2}: false, {Level: 3, Width: 1}: false, {Level: 63, Width: 1}: false,
		{N: 1 << 60, Width: 1}: false, {Entries: true, N: 273, Width: 112}: true,
	} {
		if p.Exists(size) != exists {
			t.Errorf("%+v exists: %v", p, !exists)
		}
	}
}

func mustHash(t *testing.T, size int64, tree *store) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(size, tree.reader())
	must(t, err)
	return h
}

// tileServer is a tlog.TileReader.
type tileServer func(tlog.Tile) ([]byte, error)

func (tileServer) Height() int                     { return ledger.TileHeight }
func (tileServer) SaveTiles([]tlog.Tile, [][]byte) {}
func (f tileServer) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		b, err := f(tile)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func TestEntryBundles(t *testing.T) {
	var bundle []byte
	for n := range int64(3) {
		bundle = ledger.AppendEntry(bundle, record(n))
	}
	bundle = ledger.AppendEntry(bundle, nil)
	bundle = ledger.AppendEntry(bundle, make([]byte, ledger.MaxEvent))
	records, err := ledger.Entries(bundle)
	must(t, err)
	if len(records) != 5 || string(records[2]) != "record 2" || len(records[3]) != 0 || len(records[4]) != ledger.MaxEvent {
		t.Errorf("%d records", len(records))
	}
	for _, n := range []int{1, 2, 5, len(bundle) - 1} {
		if _, err := ledger.Entries(bundle[:n]); !errors.Is(err, ledger.ErrMalformed) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}
