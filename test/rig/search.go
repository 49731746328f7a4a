package rig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
)

// search looks for patterns in everything that a stopped node wrote: its log, its
// data directory as it is, the zstd frames in there (the Raft log's batches are
// compressed), and every key and value of the state database, whose blocks may
// be compressed. The PIN's own file is not searched, and neither is the token,
// which is the HSM's.
func (n *Node) search(patterns []pattern, found func(pattern, string)) error {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer decoder.Close()
	report := func(b []byte, where string) {
		for _, p := range patterns {
			if p.in(b) {
				found(p, where)
			}
		}
	}
	visit := func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && isPebble(path) {
			return searchPebble(path, report)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		report(b, path)
		for i, frame := range frames(decoder, b) {
			report(frame, fmt.Sprintf("%s, zstd frame %d", path, i))
		}
		return nil
	}
	return errors.Join(filepath.WalkDir(n.DataDir(), visit), filepath.WalkDir(n.logFile(), visit))
}

// zstdMagic begins a frame (RFC 8878 §3.1.1).
var zstdMagic = []byte{0x28, 0xB5, 0x2F, 0xFD}

// maxFrame is how much of a file one frame is looked for in.
const maxFrame = 8 << 20

// frames answers what the zstd frames within b contain, wherever they begin.
func frames(decoder *zstd.Decoder, b []byte) [][]byte {
	var all [][]byte
	for {
		at := bytes.Index(b, zstdMagic)
		if at < 0 {
			return all
		}
		b = b[at:]
		// What follows the frame is no zstd, so there is an error at the end; what
		// was decoded before it is there all the same.
		if out, _ := decoder.DecodeAll(b[:min(len(b), maxFrame)], nil); len(out) > 0 {
			all = append(all, out)
		}
		b = b[len(zstdMagic):]
	}
}

// isPebble says whether a directory is a Pebble database.
func isPebble(dir string) bool {
	markers, err := filepath.Glob(filepath.Join(dir, "marker.format-version.*"))
	return err == nil && len(markers) > 0
}

// searchPebble looks at every key and value of a database that nobody has open.
func searchPebble(dir string, report func([]byte, string)) error {
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, Logger: silent{}})
	if err != nil {
		return fmt.Errorf("opening %s: %w", dir, err)
	}
	defer db.Close()
	iter, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	defer iter.Close()
	for valid := iter.First(); valid; valid = iter.Next() {
		where := fmt.Sprintf("%s, key %q", dir, strings.ToValidUTF8(string(iter.Key()), "?"))
		report(iter.Key(), where)
		report(iter.Value(), where)
	}
	return iter.Error()
}

// silent is a Pebble logger that says nothing, except that it cannot go on.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
