package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge is the right edge of a tree at one size. It is immutable and safe for
// concurrent use, also beside the tree that it was taken of.
type Edge struct {
	size  int64
	tiles [TileLevels][]tlog.Hash
}

// Edge is the tree's right edge as it is now. It shares the partial tiles with
// the tree, which only ever writes behind what the edge sees of them.
func (t *Tree) Edge() *Edge { return &Edge{size: t.size, tiles: t.edge} }

// Size is the number of records in the tree.
func (e *Edge) Size() int64 { return e.size }

// Tile answers the partial tile of a level, as far as it has grown; false for
// tiles that are full.
func (e *Edge) Tile(level int, n int64) ([]tlog.Hash, bool) {
	if n != e.size>>(TileHeight*(level+1)) {
		return nil, false
	}
	return e.tiles[level], true
}

// TileReader answers stored tiles.
type TileReader interface {
	// ReadTile answers at least the first width hashes of a tile.
	ReadTile(level int, n int64, width int) ([]tlog.Hash, error)
}

// ReadHashes answers the hashes of a tree of a size by their stored hash indexes
// (tlog.StoredHashIndex): what tlog's proofs and roots, also those of any smaller
// size, are made from. Hashes between the stored levels are computed.
func ReadHashes(size int64, tiles TileReader, indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	end := tlog.StoredHashCount(size)
	for i, index := range indexes {
		if index < 0 || index >= end {
			return nil, fmt.Errorf("ledger: hash %d is not in a tree of %d records", index, size)
		}
		h, err := readHash(tiles, index)
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

func readHash(tiles TileReader, index int64) (tlog.Hash, error) {
	level, n := tlog.SplitStoredHashIndex(index)
	below := level % TileHeight // levels between the hash and the tile's
	first := n << below         // of the hashes of the tile's level under it
	last := first%TileWidth + 1<<below
	hashes, err := tiles.ReadTile(level/TileHeight, first/TileWidth, int(last))
	if err != nil {
		return tlog.Hash{}, err
	}
	if int64(len(hashes)) < last {
		return tlog.Hash{}, fmt.Errorf("ledger: tile %d of level %d has %d hashes, not %d", first/TileWidth, level/TileHeight, len(hashes), last)
	}
	return fold(hashes[first%TileWidth : last]), nil
}
