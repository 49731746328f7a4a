package intact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, version 2, in the machine's own byte order
// (go.etcd.io/bbolt/internal/common, page.go, meta.go, bucket.go):
//
//	page    0 id 8 │ 8 flags 2 │ 10 count 2 │ 12 overflow 4 │ 16 elements or meta
//	branch  0 pos 4 │ 4 ksize 4 │ 8 page 8
//	leaf    0 flags 4 │ 4 pos 4 │ 8 ksize 4 │ 12 vsize 4
//	meta    0 magic 4 │ 4 version 4 │ 8 pageSize 4 │ 12 flags 4 │ 16 root 8 │ 24 sequence 8 │
//	        32 freelist 8 │ 40 pages 8 │ 48 transaction 8 │ 56 FNV-1a of what is before
//	bucket  0 root 8 │ 8 sequence 8 │ 16 a page, where root is 0
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	branchFlag   = 0x01
	leafFlag     = 0x02
	metaFlag     = 0x04
	bucketFlag   = 0x01 // of a leaf's element
	pageHead     = 16
	elementSize  = 16
	bucketSize   = 16
	metaSize     = 64
	noFreelist   = ^uint64(0)
	maxBoltDepth = 64
)

// bolt is a file that is being looked at.
type bolt struct {
	path  string
	file  *os.File
	size  int // of a page
	pages uint64
	seen  map[uint64]bool
}

// VerifyBolt is nil where the pages of a bbolt file that nobody has open make
// sense: each of the two meta pages, and every page that the newer one leads to.
// Content is not looked at. bbolt itself ends the process over some pages that make
// none, without a name, takes others as they are, and goes back to the last
// transaction but one, in silence, where the last one's meta page has changed: a
// crash does not leave that, as a meta lies within one sector.
func VerifyBolt(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening a bbolt file: %w", err)
	}
	defer file.Close()
	b := &bolt{path: path, file: file, seen: make(map[uint64]bool)}
	root, err := b.metas()
	if err != nil {
		return err
	}
	return b.tree(root, nil, nil, 0)
}

// metas reads both and answers the root of the newer one.
func (b *bolt) metas() (root uint64, err error) {
	first, err := b.meta(0)
	if err != nil {
		return 0, err
	}
	b.size = int(binary.NativeEndian.Uint32(first[8:]))
	second, err := b.meta(1)
	if err != nil {
		return 0, err
	}
	newer, older := binary.NativeEndian.Uint64(first[48:]), binary.NativeEndian.Uint64(second[48:])
	meta := first
	if older > newer {
		newer, older, meta = older, newer, second
	}
	if newer != older+1 {
		return 0, changed(b.path, "its meta pages are of transactions %d and %d", older, newer)
	}
	if list := binary.NativeEndian.Uint64(meta[32:]); list != noFreelist {
		return 0, changed(b.path, "it has a list of free pages, at %d", list)
	}
	b.pages = binary.NativeEndian.Uint64(meta[40:])
	return binary.NativeEndian.Uint64(meta[16:]), nil
}

func (b *bolt) meta(number uint64) ([]byte, error) {
	page := make([]byte, pageHead+metaSize)
	if _, err := b.file.ReadAt(page, int64(number)*int64(b.size)); err == io.EOF {
		return nil, changed(b.path, "it is too short")
	} else if err != nil {
		return nil, fmt.Errorf("reading %s: %w", b.path, err)
	}
	meta := page[pageHead:]
	sum := fnv.New64a()
	sum.Write(meta[:metaSize-8])
	switch {
	case binary.NativeEndian.Uint64(page) != number || binary.NativeEndian.Uint16(page[8:]) != metaFlag:
		return nil, changed(b.path, "page %d is no meta page", number)
	case sum.Sum64() != binary.NativeEndian.Uint64(meta[metaSize-8:]):
		return nil, changed(b.path, "the checksum of meta page %d differs", number)
	case binary.NativeEndian.Uint32(meta) != boltMagic || binary.NativeEndian.Uint32(meta[4:]) != boltVersion:
		return nil, changed(b.path, "it is no bbolt file")
	}
	return meta, nil
}

// tree looks at a page and those below it, whose keys are at least least and below
// end, where these are not nil.
func (b *bolt) tree(number uint64, least, end []byte, depth int) error {
	page, err := b.page(number)
	if err != nil {
		return err
	}
	if depth > maxBoltDepth {
		return changed(b.path, "page %d is too deep", number)
	}
	return b.elements(number, page, least, end, depth)
}

// page reads one with what it overflows to, each of which is there once.
func (b *bolt) page(number uint64) ([]byte, error) {
	if number < 2 || number >= b.pages {
		return nil, changed(b.path, "a page %d is referred to, of %d", number, b.pages)
	}
	head := make([]byte, pageHead)
	at := int64(number) * int64(b.size)
	if _, err := b.file.ReadAt(head, at); err != nil {
		return nil, b.unread(number, err)
	}
	over := uint64(binary.NativeEndian.Uint32(head[12:]))
	if id := binary.NativeEndian.Uint64(head); id != number || over >= b.pages-number {
		return nil, changed(b.path, "page %d says that it is page %d, and %d more", number, id, over)
	}
	for i := number; i <= number+over; i++ {
		if b.seen[i] {
			return nil, changed(b.path, "page %d is referred to twice", i)
		}
		b.seen[i] = true
	}
	page := make([]byte, int(over+1)*b.size)
	if _, err := b.file.ReadAt(page, at); err != nil {
		return nil, b.unread(number, err)
	}
	return page, nil
}

func (b *bolt) unread(number uint64, err error) error {
	if err == io.EOF {
		return changed(b.path, "it ends before page %d", number)
	}
	return fmt.Errorf("reading %s: %w", b.path, err)
}

// elements looks at the elements of a page, or of one within a leaf.
func (b *bolt) elements(number uint64, page, least, end []byte, depth int) error {
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != branchFlag && flags != leafFlag || pageHead+count*elementSize > len(page) || flags == branchFlag && count == 0 {
		return changed(b.path, "page %d has flags %#x and %d elements", number, flags, count)
	}
	keys := make([][]byte, count)
	for i := range keys {
		at := pageHead + i*elementSize
		e := page[at : at+elementSize]
		pos, ksize, vsize := 0, 0, 0
		if flags == branchFlag {
			pos, ksize = int(binary.NativeEndian.Uint32(e)), int(binary.NativeEndian.Uint32(e[4:]))
		} else {
			pos, ksize = int(binary.NativeEndian.Uint32(e[4:])), int(binary.NativeEndian.Uint32(e[8:]))
			vsize = int(binary.NativeEndian.Uint32(e[12:]))
		}
		if at+pos < pageHead+count*elementSize || at+pos+ksize+vsize > len(page) {
			return changed(b.path, "element %d of page %d lies outside of it", i, number)
		}
		keys[i] = page[at+pos : at+pos+ksize]
		before := least
		if i > 0 {
			before = keys[i-1]
		}
		if c := bytes.Compare(before, keys[i]); c > 0 || i > 0 && c == 0 || end != nil && bytes.Compare(keys[i], end) >= 0 {
			return changed(b.path, "the keys of page %d are not in order", number)
		}
		if flags == leafFlag {
			value := page[at+pos+ksize : at+pos+ksize+vsize]
			if err := b.leaf(number, binary.NativeEndian.Uint32(e), value, depth); err != nil {
				return err
			}
		}
	}
	if flags == leafFlag {
		return nil
	}
	for i, key := range keys {
		next := end
		if i+1 < count {
			next = keys[i+1]
		}
		child := binary.NativeEndian.Uint64(page[pageHead+i*elementSize+8:])
		if err := b.tree(child, key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// leaf looks at a value, which may be a bucket.
func (b *bolt) leaf(number uint64, flags uint32, value []byte, depth int) error {
	switch {
	case flags == 0:
		return nil
	case flags != bucketFlag || len(value) < bucketSize:
		return changed(b.path, "page %d has a value with flags %#x of %d bytes", number, flags, len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return b.tree(root, nil, nil, depth+1)
	}
	if inline := value[bucketSize:]; len(inline) >= pageHead {
		return b.elements(number, inline, nil, nil, depth+1)
	}
	return changed(b.path, "page %d has a bucket of %d bytes", number, len(value))
}
