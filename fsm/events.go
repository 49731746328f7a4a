package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// maxPosition is beyond every ledger position.
const maxPosition = math.MaxInt64

// event reads a ledger record.
func (s *state) event(position int64) ([]byte, error) {
	if size := s.tip.Load().status.LedgerSize; position < 0 || position >= size {
		return nil, fmt.Errorf("position %d of %d: %w", position, size, ErrNoRecord)
	}
	event, err := s.get(appendEventKey(nil, position))
	if err == nil && event == nil {
		err = fmt.Errorf("%w: no record at ledger position %d", errCorrupt, position)
	}
	return event, err
}

// events calls fn with the ledger records of the positions from ≤ p < to, as far
// as there are any. The slice that fn gets is its own only until it returns.
func (s *state) events(from, to int64, fn func(position int64, event []byte) (bool, error)) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: appendEventKey(nil, max(from, 0)),
		UpperBound: appendEventKey(nil, to),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		event, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		position := int64(binary.BigEndian.Uint64(it.Key()[1:]))
		if more, err := fn(position, event); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// readHashes answers hashes of the ledger's tree as it is now.
func (s *state) readHashes(indexes []int64) ([]tlog.Hash, error) {
	edge := s.tip.Load().edge
	return ledger.ReadHashes(edge.Size(), tiles{s, edge}, indexes)
}

// tiles reads the tiles of the tree at one size: the partial ones from memory,
// the full ones from the database.
type tiles struct {
	state *state
	edge  *ledger.Edge
}

// ReadTile implements ledger.TileReader.
func (t tiles) ReadTile(level int, n int64, _ int) ([]tlog.Hash, error) {
	if hashes, ok := t.edge.Tile(level, n); ok {
		return hashes, nil
	}
	b, err := t.state.get(appendTileKey(nil, level, n))
	if err != nil {
		return nil, err
	}
	return parseHashes(b)
}
