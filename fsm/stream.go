package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrStream is returned by Restore when the stream is damaged, truncated or not
// of this format. The state is as it was.
var ErrStream = errors.New("fsm: damaged checkpoint stream")

// A checkpoint travels as
//
//	"cofre checkpoint 1\n"
//	for each file: length(1) of name, name, size(8), bytes
//	0
//	SHA-256(32) of all that is before
//
// and nothing behind. Numbers are big-endian.
const streamMagic = "cofre checkpoint 1\n"

const (
	streamBuffer = 1 << 18
	maxFiles     = 1 << 20
)

// WriteCheckpoint streams a copy that Checkpoint made, with a checksum.
func WriteCheckpoint(fs vfs.FS, dir string, w io.Writer) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("listing a checkpoint: %w", err)
	}
	slices.Sort(names)
	sum := sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(w, sum), streamBuffer)
	buf.WriteString(streamMagic) // a bufio.Writer keeps its first error for Flush
	for _, name := range names {
		if name == lockName {
			continue
		}
		if err := sendFile(fs, dir, name, buf); err != nil {
			return fmt.Errorf("sending %s of a checkpoint: %w", name, err)
		}
	}
	buf.WriteByte(0)
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("sending a checkpoint: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("sending a checkpoint: %w", err)
	}
	return nil
}

func sendFile(fs vfs.FS, dir, name string, w *bufio.Writer) (err error) {
	if !plainName(name) {
		return errors.New("unexpected name")
	}
	f, err := fs.Open(fs.PathJoin(dir, name), vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer closeInto(&err, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := append([]byte{byte(len(name))}, name...)
	w.Write(binary.BigEndian.AppendUint64(header, uint64(info.Size())))
	n, err := io.Copy(w, f)
	if err == nil && n != info.Size() {
		err = fmt.Errorf("size changed from %d to %d", info.Size(), n)
	}
	return err
}

// plainName says whether a name can be a file of a Pebble directory and nothing
// else: no path, no hidden file, not the lock.
func plainName(name string) bool {
	if name == "" || len(name) > 255 || name[0] == '.' || name == lockName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
