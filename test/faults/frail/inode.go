package frail

import (
	"maps"
	"math/rand/v2"
	"syscall"
)

// pageSize is the unit in which bytes are written, lost and counted.
const pageSize = 4096

// content is what a file holds. A page that is missing has zeros.
type content struct {
	size  int64
	pages map[int64]*page
}

type page [pageSize]byte

// zero is the page of space that was allocated and not written. It is shared.
var zero page

// inode is a file or a directory, as programs see it and as the disk has it. The
// disk's lock guards it.
type inode struct {
	number uint64
	mode   uint32 // type and permissions
	path   string // one of its names, from the root

	now, synced content
	// fresh are the pages that differ from the synced ones, or may. Others are
	// shared with synced, and copied before they change.
	fresh map[int64]bool
	// cut is from where on pages were taken away since the last sync.
	cut int64

	names, syncedNames map[string]*inode // of a directory

	links, syncedLinks, opens int
}

func (n *inode) isDir() bool { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }

const notCut = 1 << 62

func newInode(number uint64, mode uint32, path string) *inode {
	n := &inode{number: number, mode: mode, path: path, fresh: make(map[int64]bool), cut: notCut}
	n.now.pages, n.synced.pages = make(map[int64]*page), make(map[int64]*page)
	if n.isDir() {
		n.names, n.syncedNames = make(map[string]*inode), make(map[string]*inode)
	}
	return n
}

// read answers how many bytes there were.
func (n *inode) read(b []byte, at int64) int {
	if at >= n.now.size {
		return 0
	}
	b = b[:min(int64(len(b)), n.now.size-at)]
	for done := 0; done < len(b); {
		p := n.now.pages[(at+int64(done))/pageSize]
		if p == nil {
			p = &zero
		}
		done += copy(b[done:], p[(at+int64(done))%pageSize:])
	}
	return len(b)
}

// missing is how many pages of a range have no space yet.
func (n *inode) missing(at, length int64) (count int64) {
	for i := at / pageSize; i*pageSize < at+length; i++ {
		if n.now.pages[i] == nil {
			count++
		}
	}
	return count
}

// own answers a page that may be changed.
func (n *inode) own(i int64) *page {
	p := n.now.pages[i]
	if p == nil || p == &zero || !n.fresh[i] {
		q := new(page)
		if p != nil {
			*q = *p
		}
		n.now.pages[i], p = q, q
	}
	n.fresh[i] = true
	return p
}

func (n *inode) write(b []byte, at int64) {
	n.grow(at)
	for done := 0; done < len(b); {
		p := n.own((at + int64(done)) / pageSize)
		done += copy(p[(at+int64(done))%pageSize:], b[done:])
	}
	n.now.size = max(n.now.size, at+int64(len(b)))
}

// grow makes the file at least so long. What lay behind its end is zero.
func (n *inode) grow(size int64) {
	if size <= n.now.size {
		return
	}
	if rest := n.now.size % pageSize; rest > 0 && n.now.pages[n.now.size/pageSize] != nil && size/pageSize > n.now.size/pageSize {
		clear(n.own(n.now.size / pageSize)[rest:])
	}
	n.now.size = size
}

// allocate takes space for a range.
func (n *inode) allocate(at, length int64, keepSize bool) {
	for i := at / pageSize; i*pageSize < at+length; i++ {
		if n.now.pages[i] == nil {
			n.now.pages[i], n.fresh[i] = &zero, true
		}
	}
	if !keepSize {
		n.grow(at + length)
	}
}

// truncate answers how many pages it gave back.
func (n *inode) truncate(size int64) (freed int64) {
	if size >= n.now.size {
		n.grow(size)
		return 0
	}
	first := (size + pageSize - 1) / pageSize
	for i := range n.now.pages {
		if i >= first {
			delete(n.now.pages, i)
			delete(n.fresh, i)
			freed++
		}
	}
	if rest := size % pageSize; rest > 0 && n.now.pages[size/pageSize] != nil {
		clear(n.own(size / pageSize)[rest:])
	}
	n.cut = min(n.cut, first)
	n.now.size = size
	return freed
}

// sync brings bytes and size to the disk.
func (n *inode) sync() {
	if n.cut != notCut {
		for i := range n.synced.pages {
			if i >= n.cut && n.now.pages[i] == nil {
				delete(n.synced.pages, i)
			}
		}
	}
	for i := range n.fresh {
		n.synced.pages[i] = n.now.pages[i]
	}
	n.synced.size = n.now.size
	n.clean()
}

func (n *inode) clean() {
	clear(n.fresh)
	n.cut = notCut
}

// lose leaves what the disk has: what was synced, and of the rest each page with
// a probability.
func (n *inode) lose(r *rand.Rand, keep float64) {
	left := content{size: n.synced.size, pages: maps.Clone(n.synced.pages)}
	if r.Float64() < keep {
		left.size = n.now.size
		for i := range left.pages {
			if i >= n.cut && n.now.pages[i] == nil {
				delete(left.pages, i)
			}
		}
	}
	for _, i := range sorted(n.fresh) {
		if r.Float64() < keep && i*pageSize < left.size {
			left.pages[i] = n.now.pages[i]
		}
	}
	n.now = left
	n.synced = content{size: left.size, pages: maps.Clone(left.pages)}
	n.clean()
}

// flip changes one bit of what the disk has. All is synced.
func (n *inode) flip(at int64, mask byte) {
	i := at / pageSize
	p := n.own(i)
	p[at%pageSize] ^= mask
	n.synced.pages[i] = p
	delete(n.fresh, i)
}
