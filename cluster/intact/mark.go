package intact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"

	"github.com/cofre-kms/cofre/cluster/durable"
)

// Mark is a file that says how far Raft's stores had come. A store whose end has
// become unreadable takes it for a write that a crash cut off, and goes on without
// it: a vote or an entry that a peer counts on would be gone in silence.
//
// It is written after each write of a store has become durable, and not synced: the
// kernel brings it to the disk by itself, and after a loss of power it may be
// older than the stores, never newer. It says the least that must be there. Where
// the log is shortened it is lowered and synced first.
//
//	0          8        16        24     28
//	┌──────────┬────────┬────────┬──────┐
//	│ COFREMRK │  last  │ writes │ crc  │   big-endian, within one sector of a disk
//	└──────────┴────────┴────────┴──────┘
//
// It is safe for concurrent use.
type Mark struct {
	path string

	mu     sync.Mutex // guards what is below, and the file's order
	file   *os.File
	last   uint64 // index of the log's last entry; 0 where it may be empty
	writes uint64 // number of the last write to the stable store
}

const (
	markMagic = "COFREMRK"
	markSize  = 28
)

func encodeMark(last, writes uint64) []byte {
	b := append(make([]byte, 0, markSize), markMagic...)
	b = binary.BigEndian.AppendUint64(b, last)
	b = binary.BigEndian.AppendUint64(b, writes)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// CreateMark makes the mark of empty stores, durably.
func CreateMark(path string) error { return durable.WriteFile(path, encodeMark(0, 0), 0o600) }

// OpenMark reads a mark, to be closed.
func OpenMark(path string) (*Mark, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the mark: %w", err)
	}
	m := &Mark{path: path, file: file}
	if err := m.read(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
}

func (m *Mark) read() error {
	b := make([]byte, markSize+1)
	n, err := m.file.ReadAt(b, 0)
	if n != markSize {
		return changed(m.path, "it has %d bytes (%v)", n, err)
	}
	m.last, m.writes = binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	if string(b[:markSize]) != string(encodeMark(m.last, m.writes)) {
		return changed(m.path, "its checksum differs")
	}
	return nil
}

// appended notes that the log goes up to an index.
func (m *Mark) appended(last uint64) error {
	return m.write(func() { m.last = last }, false)
}

// shorten notes, durably, that the log will end at an index.
func (m *Mark) shorten(last uint64) error {
	return m.write(func() { m.last = min(m.last, last) }, true)
}

// wrote notes the number of a write to the stable store.
func (m *Mark) wrote(writes uint64) error {
	return m.write(func() { m.writes = writes }, false)
}

func (m *Mark) write(change func(), sync bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	_, err := m.file.WriteAt(encodeMark(m.last, m.writes), 0)
	if err == nil && sync {
		err = m.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the mark: %w", err)
	}
	return nil
}

// Last is the index of the last entry that the log must have.
func (m *Mark) Last() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// Close implements io.Closer.
func (m *Mark) Close() error { return m.file.Close() }
