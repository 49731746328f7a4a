package intact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"
	"syscall"

	"github.com/hashicorp/raft"
)

// Log is a raft.LogStore, and a raft.MonotonicLogStore, whose entries have
// checksums. It is as safe for concurrent use as the store below it.
type Log struct {
	store raft.LogStore
	mark  *Mark
	// file names the file that has an entry.
	file func(index uint64) string
}

// NewLog wraps a store. The mark is shared with the stable store.
func NewLog(store raft.LogStore, mark *Mark, file func(index uint64) string) *Log {
	return &Log{store: store, mark: mark, file: file}
}

// IsMonotonic implements raft.MonotonicLogStore.
func (l *Log) IsMonotonic() bool {
	store, ok := l.store.(raft.MonotonicLogStore)
	return ok && store.IsMonotonic()
}

// FirstIndex implements raft.LogStore.
func (l *Log) FirstIndex() (index uint64, err error) {
	err = mapped(l.file(0), func() (err error) { index, err = l.store.FirstIndex(); return err })
	return index, err
}

// LastIndex implements raft.LogStore.
func (l *Log) LastIndex() (index uint64, err error) {
	err = mapped(l.file(0), func() (err error) { index, err = l.store.LastIndex(); return err })
	return index, err
}

// GetLog implements raft.LogStore.
func (l *Log) GetLog(index uint64, log *raft.Log) error {
	var stored raft.Log
	err := mapped(l.file(index), func() error { return l.store.GetLog(index, &stored) })
	switch {
	case errors.Is(err, raft.ErrLogNotFound):
		return err
	case errors.As(err, new(syscall.Errno)), errors.Is(err, errUnusable):
		return fmt.Errorf("reading entry %d: %w", index, err)
	case err != nil:
		return changed(l.file(index), "entry %d cannot be decoded: %v", index, err)
	case stored.Index != index || len(stored.Extensions) < crc32.Size:
		return changed(l.file(index), "entry %d is another", index)
	}
	sum := binary.BigEndian.Uint32(stored.Extensions)
	if stored.Extensions = stored.Extensions[crc32.Size:]; len(stored.Extensions) == 0 {
		stored.Extensions = nil
	}
	if checksum(&stored) != sum {
		return changed(l.file(index), "the checksum of entry %d differs", index)
	}
	*log = stored
	return nil
}

// StoreLog implements raft.LogStore.
func (l *Log) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore. The checksum of an entry stands before its
// extensions.
func (l *Log) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	entries := make([]raft.Log, len(logs)) // Raft goes on using its own
	sealed := make([]*raft.Log, len(logs))
	for i, log := range logs {
		entries[i] = *log
		sum := binary.BigEndian.AppendUint32(make([]byte, 0, crc32.Size+len(log.Extensions)), checksum(log))
		entries[i].Extensions = append(sum, log.Extensions...)
		sealed[i] = &entries[i]
	}
	last := logs[len(logs)-1].Index
	if err := mapped(l.file(last), func() error { return l.store.StoreLogs(sealed) }); err != nil {
		return err
	}
	// The entries are durable; a crash here leaves them, and a mark that says less.
	return l.mark.appended(last)
}

// DeleteRange implements raft.LogStore.
func (l *Log) DeleteRange(first, last uint64) error {
	oldest, err := l.FirstIndex()
	if err != nil {
		return err
	}
	end, err := l.LastIndex()
	if err != nil {
		return err
	}
	if last >= end {
		left := first - 1
		if first <= oldest {
			left = 0 // an empty log ends at 0
		}
		if err := l.mark.shorten(left); err != nil {
			return err
		}
	}
	// The mark asks for no entry of the range any more; a crash here leaves them.
	return mapped(l.file(first), func() error { return l.store.DeleteRange(first, last) })
}

// Complete is nil where the log goes as far as it has gone.
func (l *Log) Complete() error {
	last, err := l.LastIndex()
	if err != nil {
		return fmt.Errorf("reading %s: %w", l.file(0), err)
	}
	if must := l.mark.Last(); last < must {
		return changed(l.file(must), "the log ends at entry %d, and there were entries up to %d (%s)", last, must, l.mark.path)
	}
	return nil
}

// Verify reads the whole log. It is nil where each entry is what was written and
// none is missing behind covered, the index of the newest snapshot; before it a log
// on bbolt has a gap where a snapshot of the leader was installed.
func (l *Log) Verify(covered uint64) error {
	first, err := l.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.LastIndex()
	if err != nil {
		return err
	}
	var log raft.Log
	for index := first; index <= last && last > 0; index++ {
		switch err := l.GetLog(index, &log); {
		case errors.Is(err, raft.ErrLogNotFound) && index > covered:
			return changed(l.file(index), "entry %d is missing", index)
		case errors.Is(err, raft.ErrLogNotFound):
			index = covered // goes on behind it
		case err != nil:
			return err
		}
	}
	return nil
}

// checksum is of all that Raft goes by. AppendedAt is for figures.
func checksum(log *raft.Log) uint32 {
	head := binary.BigEndian.AppendUint64(make([]byte, 0, 25), log.Index)
	head = binary.BigEndian.AppendUint64(head, log.Term)
	head = append(head, byte(log.Type))
	head = binary.BigEndian.AppendUint64(head, uint64(len(log.Extensions)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, log.Extensions)
	return crc32.Update(sum, castagnoli, log.Data)
}

// errUnusable is returned where a store came upon a page that it cannot use.
var errUnusable = errors.New("cannot be used")

// mapped calls a function of a store that may map a file into memory, and makes an
// error of what becomes a fault or a panic there: a page that the disk cannot
// give, or one that makes no sense.
func mapped(file string, fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s %w: %v", file, errUnusable, p)
		}
	}()
	return fn()
}
