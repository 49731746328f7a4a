package ledger_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// store keeps what Drain hands out, as a database would.
type store struct {
	tiles  map[[2]int64][]tlog.Hash
	leaves []tlog.Hash
	edge   *ledger.Edge
}

func newStore() *store { return &store{tiles: map[[2]int64][]tlog.Hash{}} }

func (s *store) drain(t testing.TB, tree *ledger.Tree) {
	t.Helper()
	err := tree.Drain(func(tile ledger.Tile) error {
		if tile.Level == 0 && len(tile.Hashes) != ledger.TileWidth {
			t.Errorf("partial tile %d of level 0 drained", tile.N)
		}
		s.tiles[[2]int64{int64(tile.Level), tile.N}] = slices.Clone(tile.Hashes)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.edge = tree.Edge()
}

func (s *store) ReadTile(level int, n int64, width int) ([]tlog.Hash, error) {
	if hashes, ok := s.edge.Tile(level, n); ok {
		return hashes, nil
	}
	return s.tiles[[2]int64{int64(level), n}], nil
}

func (s *store) partial(level int, n int64) ([]tlog.Hash, error) {
	if level == 0 {
		return s.leaves[n*ledger.TileWidth:], nil
	}
	return s.tiles[[2]int64{int64(level), n}], nil
}

func (s *store) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return ledger.ReadHashes(s.edge.Size(), s, indexes)
	})
}

func leaf(i int64) tlog.Hash {
	return tlog.RecordHash(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// TestTreeAgreesWithTlog grows a tree over all that can be special about a size
// (beyond two levels of tiles) next to tlog's own storage of it.
func TestTreeAgreesWithTlog(t *testing.T) {
	const size = 1<<16 + 700
	var flat []tlog.Hash // tlog's stored hashes by index
	all := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = flat[index]
		}
		return hashes, nil
	})
	s, tree := newStore(), new(ledger.Tree)
	for n := range int64(size) {
		h := leaf(n)
		stored, err := tlog.StoredHashesForRecordHash(n, h, all)
		if err != nil {
			t.Fatal(err)
		}
		flat = append(flat, stored...)
		s.leaves = append(s.leaves, h)
		tree.Append(h)
		if n%97 == 0 || n%ledger.TileWidth < 2 {
			s.drain(t, tree)
		}
		checkRoot(t, tree, all)
		if n%1021 == 0 || (n+1)%ledger.TileWidth < 2 && n%(1<<13) < 600 {
			s.drain(t, tree)
			tree = reload(t, s, tree)
		}
	}
	s.drain(t, tree)
	indexes := make([]int64, len(flat))
	for i := range indexes {
		indexes[i] = int64(i)
	}
	got, err := ledger.ReadHashes(size, s, indexes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != flat[i] {
			t.Fatalf("stored hash %d differs", i)
		}
	}
	if _, err := ledger.ReadHashes(size, s, []int64{int64(len(flat))}); err == nil {
		t.Error("answers a hash that the tree does not have")
	}
	if _, err := ledger.ReadHashes(size, s, []int64{-1}); err == nil {
		t.Error("answers a negative index")
	}
}

func checkRoot(t *testing.T, tree *ledger.Tree, r tlog.HashReader) {
	t.Helper()
	want, err := tlog.TreeHash(tree.Size(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Root(); got != want {
		t.Fatalf("root at %d is %v, want %v", tree.Size(), got, want)
	}
}

func reload(t *testing.T, s *store, tree *ledger.Tree) *ledger.Tree {
	t.Helper()
	again, err := ledger.NewTree(tree.Size(), s.partial)
	if err != nil {
		t.Fatal(err)
	}
	if again.Root() != tree.Root() || again.Size() != tree.Size() {
		t.Fatalf("reloaded tree of %d differs", tree.Size())
	}
	return again
}

// TestEdgeStays shows that an edge is of its moment, whatever the tree does.
func TestEdgeStays(t *testing.T) {
	s, tree := newStore(), new(ledger.Tree)
	type moment struct {
		edge *ledger.Edge
		root tlog.Hash
	}
	var moments []moment
	for n := range int64(3 * ledger.TileWidth) {
		tree.Append(leaf(n))
		s.drain(t, tree)
		moments = append(moments, moment{tree.Edge(), tree.Root()})
	}
	for _, m := range moments {
		s.edge = m.edge
		root, err := tlog.TreeHash(m.edge.Size(), s.reader())
		if err != nil || root != m.root {
			t.Fatalf("root at %d: %v, %v", m.edge.Size(), root, err)
		}
	}
}

func TestNewTreeRefusesWhatDoesNotFit(t *testing.T) {
	for _, width := range []int{0, 2, 4, 256} {
		_, err := ledger.NewTree(3, func(int, int64) ([]tlog.Hash, error) { return make([]tlog.Hash, width), nil })
		if err == nil {
			t.Errorf("a tree of 3 records takes an edge of %d", width)
		}
	}
	fail := fmt.Errorf("disk")
	if _, err := ledger.NewTree(3, func(int, int64) ([]tlog.Hash, error) { return nil, fail }); err != fail {
		t.Errorf("err = %v", err)
	}
	if _, err := ledger.ReadHashes(3, &store{edge: new(ledger.Edge)}, []int64{0}); err == nil {
		t.Error("reads a hash of a tile that is not there")
	}
}

// The leaves and roots of the Certificate Transparency reference implementation
// (merkle_tree_test.cc in github.com/google/certificate-transparency).
var (
	referenceLeaves = []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	}
	referenceRoots = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	// Audit paths by leaf (from 0) and size of tree.
	referencePaths = map[[2]int64][]string{
		{0, 1}: {},
		{0, 8}: {
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
		},
		{5, 8}: {
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		},
		{2, 3}: {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{1, 5}: {
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		},
	}
	// Consistency proofs by the sizes of the two trees.
	referenceProofs = map[[2]int64][]string{
		{1, 8}: {
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
		},
		{6, 8}: {
			"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		},
		{2, 5}: {
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		},
	}
)

func TestReferenceVectors(t *testing.T) {
	s, tree := newStore(), new(ledger.Tree)
	for size, want := range referenceRoots {
		if size > 0 {
			record, err := hex.DecodeString(referenceLeaves[size-1])
			if err != nil {
				t.Fatal(err)
			}
			tree.Append(tlog.RecordHash(record))
		}
		if root := tree.Root(); hex.EncodeToString(root[:]) != want {
			t.Errorf("root at %d is %x, want %s", size, root[:], want)
		}
	}
	s.drain(t, tree)
	for at, want := range referencePaths {
		got, err := tlog.ProveRecord(at[1], at[0], s.reader())
		checkProof(t, fmt.Sprintf("path of %d in %d", at[0], at[1]), got, want, err)
	}
	for at, want := range referenceProofs {
		got, err := tlog.ProveTree(at[1], at[0], s.reader())
		checkProof(t, fmt.Sprintf("proof of %d in %d", at[0], at[1]), got, want, err)
	}
}

func checkProof(t *testing.T, what string, got []tlog.Hash, want []string, err error) {
	t.Helper()
	var text []string
	for _, h := range got {
		text = append(text, hex.EncodeToString(h[:]))
	}
	if err != nil || !slices.Equal(text, want) {
		t.Errorf("%s is %v, %v; want %v", what, text, err, want)
	}
}

func BenchmarkAppend(b *testing.B) {
	tree, h := new(ledger.Tree), leaf(1)
	b.ReportAllocs()
	for b.Loop() {
		tree.Append(h)
		if tree.Size()%60 == 0 {
			tree.Drain(func(ledger.Tile) error { return nil })
			tree.Root()
		}
	}
}
