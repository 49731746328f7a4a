package fsm

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Limits of what a batch may hold. Apply refuses a command that is over one of
// them, so they are part of the protocol between replicas: raising one waits for
// the cluster's feature level like any new command.
const (
	MaxKey    = 1 << 10   // bytes of a key
	MaxRecord = 256 << 10 // bytes of a record's value
	MaxTxn    = 1 << 20   // bytes of a transaction, as Txn.Size counts them
	MaxTxns   = 1 << 14   // transactions in a batch
	MaxBatch  = 8 << 20   // bytes of a batch before compression
	MaxNode   = 255       // bytes of a node's name
)

// A command is its kind, one byte, and a Zstandard frame (RFC 8878) over one
// CBOR item in core deterministic encoding:
//
//	batch = [node: tstr, incarnation: uint, sequence: uint, settled: uint, [* txn]]
//	txn   = [[* read], [* write], event: bstr / null]
//	read  = (key: bstr, rev: uint)
//	write = (key: bstr, value: bstr / null)    ; null deletes
//
// Reads and writes stand in their arrays flat, key after revision after key.

// EncodeBatch encodes and compresses a batch as a command for the Raft log. It
// answers ErrTooLarge where the batch or a part of it is over its limit.
func EncodeBatch(b *Batch) ([]byte, error) {
	size := 64 + len(b.Node)
	for _, t := range b.Txns {
		n, err := t.Size()
		if err != nil {
			return nil, err
		}
		size += n
	}
	if size > MaxBatch || len(b.Txns) > MaxTxns || len(b.Node) > MaxNode {
		return nil, fmt.Errorf("encoding a batch of %d transactions, %d bytes: %w", len(b.Txns), size, ErrTooLarge)
	}
	buf := encoding.buffers.Get().(*[]byte)
	defer encoding.buffers.Put(buf)
	plain := appendBatch((*buf)[:0], b)
	*buf = plain
	command := make([]byte, 1, 64+len(plain)/4)
	command[0] = kindAt(b.Level)
	return encoding.zstd.EncodeAll(plain, command), nil
}

// encoding holds what EncodeBatch uses again: the compressor is safe for
// concurrent EncodeAll.
var encoding = struct {
	zstd    *zstd.Encoder
	buffers sync.Pool
}{
	zstd:    newEncoder(),
	buffers: sync.Pool{New: func() any { return new([]byte) }},
}

func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(fmt.Sprintf("fsm: Zstandard options: %v", err)) // constants, checked by every test
	}
	return e
}

func appendBatch(b []byte, batch *Batch) []byte {
	b = appendHead(b, majorArray, 5)
	b = append(appendHead(b, majorText, uint64(len(batch.Node))), batch.Node...)
	b = appendHead(b, majorUint, batch.Incarnation)
	b = appendHead(b, majorUint, batch.Sequence)
	b = appendHead(b, majorUint, batch.Settled)
	b = appendHead(b, majorArray, uint64(len(batch.Txns)))
	for _, t := range batch.Txns {
		b = appendTxn(b, t)
	}
	return b
}

func appendTxn(b []byte, t *Txn) []byte {
	b = appendHead(b, majorArray, 3)
	b = appendHead(b, majorArray, 2*uint64(len(t.reads)))
	for _, r := range t.reads {
		b = appendHead(appendBytes(b, r.Key), majorUint, uint64(r.Rev))
	}
	b = appendHead(b, majorArray, 2*uint64(len(t.writes)))
	for _, w := range t.writes {
		b = appendBytes(b, w.Key)
		if w.Value == nil {
			b = append(b, cborNull)
		} else {
			b = appendBytes(b, w.Value)
		}
	}
	if len(t.event) == 0 {
		return append(b, cborNull)
	}
	return appendBytes(b, t.event)
}
