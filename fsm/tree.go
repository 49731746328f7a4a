package fsm

import (
	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// tiles reads the tiles of the ledger's tree at one size: the partial ones from
// memory, the full ones from the database.
type tiles struct {
	db   *pebble.DB
	edge *ledger.Edge
}

// ReadTile implements ledger.TileReader.
func (t tiles) ReadTile(level int, n int64, _ int) ([]tlog.Hash, error) {
	if hashes, ok := t.edge.Tile(level, n); ok {
		return hashes, nil
	}
	return storedTile(t.db, level, n)
}

func storedTile(db *pebble.DB, level int, n int64) ([]tlog.Hash, error) {
	b, err := lookup(db, appendTileKey(nil, level, n))
	if err != nil {
		return nil, err
	}
	return parseHashes(b)
}

// readHashes answers hashes of the tree as it is now.
func (s *state) readHashes(indexes []int64) ([]tlog.Hash, error) {
	edge := s.tip.Load().edge
	return ledger.ReadHashes(edge.Size(), tiles{s.db, edge}, indexes)
}

// partialTile reads back the last tile of a level. That of level 0 is not
// stored: its hashes are those of the last records.
func (s *state) partialTile(level int, n int64) ([]tlog.Hash, error) {
	if level > 0 {
		return storedTile(s.db, level, n)
	}
	var hashes []tlog.Hash
	err := s.events(n*ledger.TileWidth, maxPosition, func(_ int64, event []byte) (bool, error) {
		hashes = append(hashes, tlog.RecordHash(event))
		return true, nil
	})
	return hashes, err
}
