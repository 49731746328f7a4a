package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// The keys of the Pebble database. Numbers are big-endian, so that keys sort as
// the numbers do.
//
//	'e' position(8)                    a bundle of ledger records from a position on
//	'm'                                the meta record, see meta
//	'o' len(1) node sequence(8)        the outcome of a batch, see outcome
//	'p' len(1) node                    a proposing node's session, see session
//	'r' Key                            revision(8) and value of a record
//	't' level(1) tile(8)               hashes(32 each) of a tile of the ledger's tree
const (
	tagEvent   = 'e'
	tagMeta    = 'm'
	tagOutcome = 'o'
	tagSession = 'p'
	tagRecord  = 'r'
	tagTile    = 't'
)

var metaKey = []byte{tagMeta}

func appendEventKey(b []byte, position int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, tagEvent), uint64(position))
}

func appendRecordKey[K Key | []byte](b []byte, key K) []byte {
	return append(append(b, tagRecord), key...)
}

func appendTileKey(b []byte, level int, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, tagTile, byte(level)), uint64(n))
}

func appendSessionKey(b []byte, tag byte, node string) []byte {
	return append(append(b, tag, byte(len(node))), node...)
}

func appendOutcomeKey(b []byte, node string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(appendSessionKey(b, tagOutcome, node), sequence)
}

// recordHeader is the length of the revision in front of a record's value.
const recordHeader = 8

// newRecord copies a stored record.
func newRecord(stored []byte) (*Record, error) {
	if len(stored) < recordHeader {
		return nil, fmt.Errorf("%w: record of %d bytes", errCorrupt, len(stored))
	}
	value := make([]byte, len(stored)-recordHeader)
	copy(value, stored[recordHeader:])
	return &Record{Rev: Rev(binary.BigEndian.Uint64(stored)), Value: value}, nil
}

// layoutVersion is the first byte of the meta record. A release that changes the
// layout writes another one, and refuses what it does not know.
const layoutVersion = 1

// The meta record says what the database holds. It is written in the same Pebble
// batch as the state that it describes.
//
//	version(1) applied(8) state hash(32) ledger size(8) ledger root(32)
const metaSize = 1 + 8 + tlog.HashSize + 8 + tlog.HashSize

func (s Status) appendMeta(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, layoutVersion), s.Applied)
	b = append(b, s.StateHash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.LedgerSize))
	return append(b, s.LedgerRoot[:]...)
}

// readMeta reads the meta record; a database without one is empty.
func readMeta(db *pebble.DB) (Status, error) {
	b, err := lookup(db, metaKey)
	if err != nil {
		return Status{}, fmt.Errorf("reading the meta record: %w", err)
	}
	if b == nil {
		return Status{LedgerRoot: new(ledger.Tree).Root()}, nil
	}
	return parseMeta(b)
}

func parseMeta(b []byte) (s Status, err error) {
	if len(b) > 0 && b[0] != layoutVersion {
		return s, fmt.Errorf("fsm: the store has layout %d, this release knows %d", b[0], layoutVersion)
	}
	if len(b) != metaSize {
		return s, fmt.Errorf("%w: meta record of %d bytes", errCorrupt, len(b))
	}
	b = b[1:]
	s.Applied, b = binary.BigEndian.Uint64(b), b[8:]
	b = b[copy(s.StateHash[:], b):]
	s.LedgerSize, b = int64(binary.BigEndian.Uint64(b)), b[8:]
	copy(s.LedgerRoot[:], b)
	return s, nil
}

func appendHashes(b []byte, hashes []tlog.Hash) []byte {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func parseHashes(b []byte) ([]tlog.Hash, error) {
	if len(b)%tlog.HashSize != 0 {
		return nil, fmt.Errorf("%w: tile of %d bytes", errCorrupt, len(b))
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes, nil
}
