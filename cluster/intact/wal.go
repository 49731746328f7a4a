package intact

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// segmentsFile lists the segments of a log of raft-wal.
const segmentsFile = "segments.json"

// Segments is raft-wal's types.MetaStore as one sealed file. raft-wal's own is a
// bbolt file, whose values have no checksum.
type Segments struct{ path string }

// NewSegments answers the list of a log's directory.
func NewSegments(dir string) *Segments { return &Segments{filepath.Join(dir, segmentsFile)} }

// Load implements types.MetaStore.
func (s *Segments) Load(string) (types.PersistentState, error) {
	var state types.PersistentState
	content, err := ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return state, nil // the log is new, or the mark misses it
	}
	if err != nil {
		return state, fmt.Errorf("reading the list of segments: %w", err)
	}
	if err := json.Unmarshal(content, &state); err != nil {
		return state, changed(s.path, "%v", err)
	}
	return state, nil
}

// CommitState implements types.MetaStore.
func (s *Segments) CommitState(state types.PersistentState) error {
	content, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encoding the list of segments: %w", err)
	}
	return WriteFile(s.path, content)
}

// errNoStable is returned when raft-wal is used as a stable store.
var errNoStable = errors.New("intact: raft-wal keeps no term and no vote here")

// GetStable implements types.MetaStore. The stable store is elsewhere.
func (s *Segments) GetStable([]byte) ([]byte, error) { return nil, errNoStable }

// SetStable implements types.MetaStore.
func (s *Segments) SetStable(_, _ []byte) error { return errNoStable }

// Close implements types.MetaStore.
func (s *Segments) Close() error { return nil }

// Filer is raft-wal's segment.Filer, whose errors name the segment's file.
type Filer struct {
	*segment.Filer
	dir string
}

// NewFiler answers the filer of a log's directory.
func NewFiler(dir string) *Filer { return &Filer{segment.NewFiler(dir, fs.New()), dir} }

func (f *Filer) named(info types.SegmentInfo, err error) error {
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return err // raft-wal makes a tail that is not there
	}
	return fmt.Errorf("segment %s: %w", filepath.Join(f.dir, segment.FileName(info)), err)
}

// Create makes a segment.
func (f *Filer) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	w, err := f.Filer.Create(info)
	return w, f.named(info, err)
}

// RecoverTail opens the last segment.
func (f *Filer) RecoverTail(info types.SegmentInfo) (types.SegmentWriter, error) {
	w, err := f.Filer.RecoverTail(info)
	return w, f.named(info, err)
}

// Open opens a segment that is full.
func (f *Filer) Open(info types.SegmentInfo) (types.SegmentReader, error) {
	r, err := f.Filer.Open(info)
	return r, f.named(info, err)
}

// File names the file that has an entry: the segment that begins with it or last
// before it. For index 0, and where there is none, it is the directory.
func (f *Filer) File(index uint64) string {
	segments, err := f.List()
	if err != nil || index == 0 {
		return f.dir
	}
	var found types.SegmentInfo
	for id, base := range segments {
		if base <= index && base >= found.BaseIndex && base > 0 {
			found = types.SegmentInfo{ID: id, BaseIndex: base}
		}
	}
	if found.BaseIndex == 0 {
		return f.dir
	}
	return filepath.Join(f.dir, segment.FileName(found))
}
