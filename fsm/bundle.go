package fsm

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
)

// Ledger records are stored in bundles: those that were applied together, or a
// part of them, under the position of the first. A bundle is a Zstandard frame
// over an entry bundle of C2SP tlog-tiles:
//
//	for each record: length(2) bytes
//
// Records are much alike, so that a bundle takes an eighth of the space that its
// records take alone, and all that Pebble does with them shrinks with it. Where
// bundles begin and end is a replica's own affair.
const (
	// maxBundle is how many bytes a bundle takes before the next one is begun: what
	// reading one record costs at most, but for a large record on top.
	maxBundle = 256 << 10
	// maxPosition is beyond every ledger position.
	maxPosition = math.MaxInt64
)

// bundler gathers records into bundles.
type bundler struct {
	first int64 // position of the first record in plain
	plain []byte
	frame []byte
}

// add adds the record of a position, and stores the bundle when it is full.
func (b *bundler) add(position int64, event []byte, w *pebble.Batch) error {
	if len(b.plain) == 0 {
		b.first = position
	}
	b.plain = binary.BigEndian.AppendUint16(b.plain, uint16(len(event)))
	b.plain = append(b.plain, event...)
	if len(b.plain) < maxBundle {
		return nil
	}
	return b.flush(w)
}

// flush stores the records that have been gathered.
func (b *bundler) flush(w *pebble.Batch) error {
	if len(b.plain) == 0 {
		return nil
	}
	b.frame = encoding.zstd.EncodeAll(b.plain, b.frame[:0])
	b.plain = b.plain[:0]
	return w.Set(appendEventKey(nil, b.first), b.frame, nil)
}

// event reads a ledger record.
func (s *state) event(position int64) (event []byte, err error) {
	if size := s.tip.Load().status.LedgerSize; position < 0 || position >= size {
		return nil, fmt.Errorf("position %d of %d: %w", position, size, ErrNoRecord)
	}
	err = s.events(position, position+1, func(_ int64, e []byte) (bool, error) {
		event = e
		return false, nil
	})
	if err == nil && event == nil {
		err = fmt.Errorf("%w: no record at ledger position %d", errCorrupt, position)
	}
	return event, err
}

// events calls fn with the ledger records of the positions from ≤ p < to, as far
// as there are any.
func (s *state) events(from, to int64, fn func(position int64, event []byte) (bool, error)) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{tagEvent},
		UpperBound: appendEventKey(nil, to),
	})
	if err != nil {
		return err
	}
	defer closeInto(&err, it)
	from = max(from, 0)
	ok := it.SeekLT(appendEventKey(nil, from+1)) || it.First()
	for more := true; ok && more; ok = it.Next() {
		if more, err = bundleRecords(it, from, to, fn); err != nil {
			return err
		}
	}
	return it.Error()
}

// bundleRecords calls fn with the records of the bundle that an iterator is at.
func bundleRecords(it *pebble.Iterator, from, to int64, fn func(int64, []byte) (bool, error)) (more bool, err error) {
	frame, err := it.ValueAndErr()
	if err != nil {
		return false, err
	}
	position := int64(binary.BigEndian.Uint64(it.Key()[1:]))
	plain, err := decoding.DecodeAll(frame, nil)
	if err != nil {
		return false, fmt.Errorf("%w: bundle of ledger position %d: %w", errCorrupt, position, err)
	}
	for ; len(plain) > 0 && position < to; position++ {
		if len(plain) < 2 || len(plain) < 2+int(binary.BigEndian.Uint16(plain)) {
			return false, fmt.Errorf("%w: bundle of ledger position %d", errCorrupt, position)
		}
		end := 2 + int(binary.BigEndian.Uint16(plain))
		if position >= from {
			if more, err := fn(position, plain[2:end:end]); err != nil || !more {
				return false, err
			}
		}
		plain = plain[end:]
	}
	return true, nil
}

// decoding decompresses bundles. It is safe for concurrent DecodeAll.
var decoding = newBundleDecoder()

func newBundleDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*maxBundle))
	if err != nil {
		panic(fmt.Sprintf("fsm: Zstandard options: %v", err)) // constants, checked by every test
	}
	return d
}
