package fsm

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/cofre-kms/cofre/ledger"
)

// batch is a decoded command. Its byte slices alias plain, and all of it is
// overwritten when the decoder is used again.
type batch struct {
	node                           string
	incarnation, sequence, settled uint64
	txns                           []txn
}

type txn struct {
	reads  []read
	writes []write
	event  []byte // nil: none
}

type read struct {
	key []byte
	rev Rev
}

type write struct {
	key, value []byte // value nil: delete
}

// decoder decodes commands into memory that it uses again. It belongs to one
// goroutine.
type decoder struct {
	zstd   *zstd.Decoder
	plain  []byte
	reads  []read
	writes []write
	batch  batch
}

func newDecoder() *decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxBatch), zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("fsm: Zstandard options: %v", err)) // constants, checked by every test
	}
	return &decoder{zstd: d}
}

// decode decodes a command whole, so that a malformed one has no effect. It
// answers ErrMalformed for everything that EncodeBatch cannot have made, and
// ErrUnknownCommand for a kind that it may make in a later release.
func (d *decoder) decode(command []byte) (*batch, error) {
	if _, err := CommandLevel(command); err != nil {
		return nil, err
	}
	plain, err := d.zstd.DecodeAll(command[1:], d.plain[:0])
	if err != nil {
		return nil, ErrMalformed
	}
	d.plain = plain
	r := cborReader{rest: plain}
	d.readBatch(&r)
	if r.failed || len(r.rest) != 0 || d.batch.sequence <= d.batch.settled {
		return nil, ErrMalformed
	}
	return &d.batch, nil
}

func (d *decoder) readBatch(r *cborReader) {
	d.reads, d.writes = d.reads[:0], d.writes[:0]
	if r.array(5) != 5 {
		r.fail()
	}
	d.batch.node = string(r.bytes(majorText, MaxNode))
	d.batch.incarnation, d.batch.sequence, d.batch.settled = r.uint(), r.uint(), r.uint()
	d.batch.txns = d.batch.txns[:0]
	for n := r.array(MaxTxns); n > 0 && !r.failed; n-- {
		d.batch.txns = append(d.batch.txns, d.readTxn(r))
	}
}

func (d *decoder) readTxn(r *cborReader) txn {
	before := len(r.rest)
	if r.array(3) != 3 {
		r.fail()
	}
	t := txn{reads: d.readReads(r), writes: d.readWrites(r)}
	if !r.null() {
		if t.event = r.bytes(majorBytes, ledger.MaxEvent); len(t.event) == 0 {
			r.fail()
		}
	}
	if before-len(r.rest) > MaxTxn {
		r.fail()
	}
	return t
}

func (d *decoder) readReads(r *cborReader) []read {
	from := len(d.reads)
	for n := pairs(r); n > 0 && !r.failed; n-- {
		d.reads = append(d.reads, read{key: r.key(), rev: Rev(r.uint())})
	}
	return d.reads[from:len(d.reads):len(d.reads)]
}

func (d *decoder) readWrites(r *cborReader) []write {
	from := len(d.writes)
	for n := pairs(r); n > 0 && !r.failed; n-- {
		w := write{key: r.key()}
		if !r.null() {
			w.value = r.bytes(majorBytes, MaxRecord)
		}
		d.writes = append(d.writes, w)
	}
	return d.writes[from:len(d.writes):len(d.writes)]
}

// pairs reads the head of a flat array of pairs. A pair has at least three bytes.
func pairs(r *cborReader) int {
	n := r.array(len(r.rest))
	if n%2 != 0 {
		r.fail()
		return 0
	}
	return n / 2
}

func (r *cborReader) key() []byte {
	key := r.bytes(majorBytes, MaxKey)
	if len(key) == 0 {
		r.fail()
	}
	return key
}
