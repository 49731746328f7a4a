package ledger

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// TileHeight is the height of a tile: the tree is stored by every eighth
	// level, as C2SP tlog-tiles does.
	TileHeight = 8
	// TileWidth is the number of hashes in a full tile.
	TileWidth = 1 << TileHeight
	// TileLevels bounds the levels of tiles: a tree holds fewer than 2^63 records.
	TileLevels = 8
)

// Tile is the Nth run of TileWidth hashes of a level, from its first one on.
// Hash i of level L is the root of the 2^(8L) records from i·2^(8L) on. The last
// tile of a level is partial: it grows to the right and what it holds never
// changes.
type Tile struct {
	Level  int
	N      int64
	Hashes []tlog.Hash
}

// Tree grows an RFC 6962 §2.1 Merkle tree and keeps nothing of it but its right
// edge: the partial tile of every level, and the roots of the complete subtrees
// that the tree's root is folded from. It belongs to one goroutine.
type Tree struct {
	size  int64
	heads [63]tlog.Hash // heads[i]: root of a complete subtree of 2^i records, where bit i of size is set
	edge  [TileLevels][]tlog.Hash
	full  []Tile // filled since the last Drain
	grown [TileLevels]bool
}

// NewTree takes up a tree of a size. The partial function answers the partial
// tile of a level; it is called only for levels that have one, and must answer
// exactly its hashes.
func NewTree(size int64, partial func(level int, n int64) ([]tlog.Hash, error)) (*Tree, error) {
	t := &Tree{size: size}
	for level := range TileLevels {
		count := size >> (TileHeight * level)
		width := int(count % TileWidth)
		if width == 0 {
			continue
		}
		hashes, err := partial(level, count/TileWidth)
		if err != nil {
			return nil, err
		}
		if len(hashes) != width {
			return nil, fmt.Errorf("ledger: partial tile of level %d has %d hashes, not %d", level, len(hashes), width)
		}
		t.edge[level] = append(make([]tlog.Hash, 0, TileWidth), hashes...)
		t.takeHeads(level, hashes)
	}
	return t, nil
}

// takeHeads folds a partial tile into the subtrees that its width is the sum of,
// the largest first.
func (t *Tree) takeHeads(level int, hashes []tlog.Hash) {
	for i := TileHeight - 1; i >= 0; i-- {
		if width := 1 << i; len(hashes)&width != 0 {
			t.heads[TileHeight*level+i] = fold(hashes[:width])
			hashes = hashes[width:]
		}
	}
}

// Size is the number of records in the tree.
func (t *Tree) Size() int64 { return t.size }

// Append adds a record by its leaf hash. Its cost is constant on average: it
// closes as many subtrees as there are trailing ones in the size.
func (t *Tree) Append(leaf tlog.Hash) {
	t.push(0, leaf)
	h, closed := leaf, bits.TrailingZeros64(^uint64(t.size))
	for i := range closed {
		h = tlog.NodeHash(t.heads[i], h)
		if (i+1)%TileHeight == 0 {
			t.push((i+1)/TileHeight, h)
		}
	}
	t.heads[closed] = h
	t.size++
}

// push adds a hash to the partial tile of a level. A tile that fills is left to
// its readers and never written again.
func (t *Tree) push(level int, h tlog.Hash) {
	if t.edge[level] == nil {
		t.edge[level] = make([]tlog.Hash, 0, TileWidth)
	}
	t.edge[level] = append(t.edge[level], h)
	t.grown[level] = true
	if len(t.edge[level]) == TileWidth {
		n := t.size >> (TileHeight * (level + 1)) // the tile that this record closes
		t.full = append(t.full, Tile{Level: level, N: n, Hashes: t.edge[level]})
		t.edge[level], t.grown[level] = nil, false
	}
}

// Root is the root of the tree: SHA-256 of nothing where it is empty.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	low := bits.TrailingZeros64(uint64(t.size))
	h := t.heads[low]
	for i := low + 1; i < len(t.heads); i++ {
		if t.size>>i&1 == 1 {
			h = tlog.NodeHash(t.heads[i], h)
		}
	}
	return h
}

// forget drops the tiles that Drain would hand out.
func (t *Tree) forget() { t.full, t.grown = t.full[:0], [TileLevels]bool{} }

// Drain calls fn with the tiles that have to be stored so that NewTree and a
// TileReader find them: those that were filled since the last Drain, and the
// partial ones above level 0 that have grown. The partial tile of level 0 is not
// among them: the last records give it back.
func (t *Tree) Drain(fn func(Tile) error) error {
	for _, tile := range t.full {
		if err := fn(tile); err != nil {
			return err
		}
	}
	t.full = t.full[:0]
	for level := 1; level < TileLevels; level++ {
		if !t.grown[level] {
			continue
		}
		n := t.size >> (TileHeight * (level + 1))
		if err := fn(Tile{Level: level, N: n, Hashes: t.edge[level]}); err != nil {
			return err
		}
		t.grown[level] = false
	}
	return nil
}

// fold is the root of a complete subtree over a power of two of hashes.
func fold(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(fold(hashes[:half]), fold(hashes[half:]))
}
