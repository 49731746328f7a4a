package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// receiver reads a stream and hashes what it has read.
type receiver struct {
	fs  vfs.FS
	dir string
	r   *bufio.Reader
	sum hash.Hash
	buf []byte
}

// receiveCheckpoint writes the files of a stream into a new directory and makes
// them durable. It returns nil only if the stream is whole.
func receiveCheckpoint(fs vfs.FS, dir string, r io.Reader) error {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	v := &receiver{fs: fs, dir: dir, r: bufio.NewReaderSize(r, streamBuffer), sum: sha256.New(), buf: make([]byte, streamBuffer)}
	if err := v.receive(); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

func (v *receiver) receive() error {
	magic := make([]byte, len(streamMagic))
	if err := v.read(magic); err != nil {
		return err
	}
	if string(magic) != streamMagic {
		return fmt.Errorf("%w: unknown format", ErrStream)
	}
	for range maxFiles {
		name, err := v.name()
		if err != nil {
			return err
		}
		if name == "" {
			return v.finish()
		}
		if err := v.file(name); err != nil {
			return fmt.Errorf("receiving %s: %w", name, err)
		}
	}
	return fmt.Errorf("%w: too many files", ErrStream)
}

// read fills b from the stream.
func (v *receiver) read(b []byte) error {
	if _, err := io.ReadFull(v.r, b); err != nil {
		return streamError(err)
	}
	v.sum.Write(b)
	return nil
}

// streamError tells a stream that ends early from one that cannot be read.
func streamError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", ErrStream)
	}
	return fmt.Errorf("reading a checkpoint stream: %w", err)
}

// name reads the name of the next file, "" behind the last one.
func (v *receiver) name() (string, error) {
	var length [1]byte
	if err := v.read(length[:]); err != nil || length[0] == 0 {
		return "", err
	}
	name := make([]byte, length[0])
	if err := v.read(name); err != nil {
		return "", err
	}
	if !plainName(string(name)) {
		return "", fmt.Errorf("%w: file name %q", ErrStream, name)
	}
	if _, err := v.fs.Stat(v.fs.PathJoin(v.dir, string(name))); err == nil {
		return "", fmt.Errorf("%w: file %s twice", ErrStream, name)
	}
	return string(name), nil
}

func (v *receiver) file(name string) (err error) {
	var header [8]byte
	if err := v.read(header[:]); err != nil {
		return err
	}
	f, err := v.fs.Create(v.fs.PathJoin(v.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer closeInto(&err, f)
	if err := v.copy(f, binary.BigEndian.Uint64(header[:])); err != nil {
		return err
	}
	return f.Sync()
}

func (v *receiver) copy(f vfs.File, size uint64) error {
	for size > 0 {
		chunk := v.buf[:min(size, uint64(len(v.buf)))]
		if err := v.read(chunk); err != nil {
			return err
		}
		if _, err := f.Write(chunk); err != nil { // may overwrite chunk: it is hashed already
			return err
		}
		size -= uint64(len(chunk))
	}
	return nil
}

// finish compares the checksum and expects the end of the stream.
func (v *receiver) finish() error {
	want := v.sum.Sum(nil)
	got := make([]byte, len(want))
	if err := v.read(got); err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("%w: checksum differs", ErrStream)
	}
	if _, err := v.r.ReadByte(); err == nil {
		return fmt.Errorf("%w: bytes behind its end", ErrStream)
	} else if !errors.Is(err, io.EOF) {
		return streamError(err)
	}
	return nil
}
