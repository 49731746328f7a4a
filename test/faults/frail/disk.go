package frail

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Kind is a kind of access that can fail.
type Kind int

const (
	Read Kind = iota
	// Write is whatever changes bytes, sizes or names.
	Write
	// Sync is fsync(2) and fdatasync(2), of files and directories.
	Sync
)

func (k Kind) String() string { return [...]string{"read", "write", "fsync"}[k] }

// Disk is one file system. It is safe for concurrent use.
type Disk struct {
	size   int64 // in pages
	server server

	mu     sync.Mutex
	root   *inode
	nodes  map[uint64]*inode
	next   uint64
	used   int64
	limit  int64 // pages that may be used; less than size where the disk is full
	fault  *fault
	rotten []rot
	epoch  uint64              // how often power was lost
	lists  map[uint64][]listed // of open directories
}

// fault is what happens to accesses.
type fault struct {
	kind   Kind
	under  string
	healed chan struct{} // accesses wait for it, where they do not fail
	hangs  bool
}

// rot is a bit that has flipped and that nobody has written over.
type rot struct {
	node *inode
	at   int64
	mask byte
}

// newDisk makes an empty one.
func newDisk(bytes int64) *Disk {
	d := &Disk{size: bytes / pageSize, nodes: make(map[uint64]*inode), lists: make(map[uint64][]listed)}
	d.limit = d.size
	d.root = d.make(syscall.S_IFDIR|0o700, "")
	d.root.links, d.root.syncedLinks = 1, 1
	return d
}

// make makes a file or directory that nothing names yet.
func (d *Disk) make(mode uint32, path string) *inode {
	d.next++
	n := newInode(d.next, mode, path)
	d.nodes[d.next] = n
	return n
}

// Fail has accesses of a kind to what lies under a path fail with EIO, all where
// it is empty. One fault at a time.
func (d *Disk) Fail(kind Kind, under string) { d.set(&fault{kind: kind, under: under}) }

// Hang has them take until Heal.
func (d *Disk) Hang(kind Kind, under string) { d.set(&fault{kind: kind, under: under, hangs: true}) }

func (d *Disk) set(f *fault) {
	d.Heal()
	f.healed = make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Heal ends the fault.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		close(d.fault.healed)
		d.fault = nil
	}
}

// access is called for each access, before it has effect and without the lock.
func (d *Disk) access(kind Kind, n *inode) syscall.Errno {
	d.mu.Lock()
	f := d.fault
	meets := f != nil && f.kind == kind && strings.HasPrefix(n.path, f.under)
	d.mu.Unlock()
	switch {
	case !meets:
		return 0
	case !f.hangs:
		return syscall.EIO
	}
	<-f.healed
	return 0
}

// Fill takes all space but some bytes.
func (d *Disk) Fill(spare int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = min(d.size, d.used+spare/pageSize)
}

// Empty gives the space back.
func (d *Disk) Empty() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = d.size
}

// take takes space for some pages, or none. The caller holds mu.
func (d *Disk) take(pages int64) syscall.Errno {
	if pages > 0 && d.used+pages > d.limit {
		return syscall.ENOSPC
	}
	d.used += pages
	return 0
}

// LosePower leaves of what was not synced what chance wills: nothing, all, or any
// part, as names and as pages. No process may have a file open.
func (d *Disk) LosePower(r *rand.Rand) {
	keep := []float64{0, 0.5, 1}[r.IntN(3)]
	keepNames := r.IntN(2) == 0
	d.mu.Lock()
	defer d.mu.Unlock()
	d.epoch++
	clear(d.lists)
	for _, number := range sorted(d.nodes) {
		n := d.nodes[number]
		n.opens = 0
		if !n.isDir() {
			n.lose(r, keep)
		} else if keepNames {
			n.syncedNames = maps.Clone(n.names)
		} else {
			n.names = maps.Clone(n.syncedNames)
		}
	}
	d.recount()
}

// recount finds out what is left after a loss. The caller holds mu.
func (d *Disk) recount() {
	for _, n := range d.nodes {
		n.links, n.syncedLinks = 0, 0
	}
	d.nodes = map[uint64]*inode{d.root.number: d.root}
	d.root.links, d.root.syncedLinks = 1, 1
	d.used = 0
	d.reach(d.root)
	d.rotten = slices.DeleteFunc(d.rotten, func(r rot) bool { return r.node.links == 0 })
}

func (d *Disk) reach(dir *inode) {
	for name, n := range dir.names {
		n.path = path.Join(dir.path, name)
		n.links++
		n.syncedLinks++
		if d.nodes[n.number] != nil {
			continue
		}
		d.nodes[n.number] = n
		d.used += int64(len(n.now.pages))
		if n.isDir() {
			d.reach(n)
		}
	}
}

// Files answers the paths of all files that hold something, in order.
func (d *Disk) Files() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var files []string
	var walk func(*inode)
	walk = func(dir *inode) {
		for name, n := range dir.names {
			n.path = path.Join(dir.path, name)
			if n.isDir() {
				walk(n)
			} else if n.now.size > 0 {
				files = append(files, n.path)
			}
		}
	}
	walk(d.root)
	slices.Sort(files)
	return files
}

// Rot flips one bit of a file in which something was written, and says which. No
// process may have the file open.
func (d *Disk) Rot(file string, r *rand.Rand) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(file)
	if n == nil || n.now.size == 0 {
		return "", fmt.Errorf("%s: %w", file, syscall.ENOENT)
	}
	n.sync()
	written := slices.DeleteFunc(sorted(n.now.pages), func(i int64) bool {
		return i*pageSize >= n.now.size || *n.now.pages[i] == zero
	})
	if len(written) == 0 {
		return "", fmt.Errorf("%s has nothing in it", file)
	}
	at := written[r.IntN(len(written))] * pageSize
	// Most of a page may be unused; there nothing can be found.
	end := min(at+pageSize, n.now.size)
	p := n.now.pages[at/pageSize]
	for end > at+1 && p[end-1-at] == 0 {
		end--
	}
	at += r.Int64N(end - at)
	mask := byte(1) << r.IntN(8)
	n.flip(at, mask)
	d.rotten = append(d.rotten, rot{n, at, mask})
	return fmt.Sprintf("%s, byte %d, bit %#x", file, at, mask), nil
}

// Restore flips the bits back that have flipped, unless they were written over.
func (d *Disk) Restore() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rotten {
		r.node.sync()
		r.node.flip(r.at, r.mask)
	}
	d.rotten = nil
}

// renewed notes that bytes were written. The caller holds mu.
func (d *Disk) renewed(n *inode, at, end int64) {
	d.rotten = slices.DeleteFunc(d.rotten, func(r rot) bool { return r.node == n && r.at >= at && r.at < end })
}

// find answers what a path names, nil where it names nothing. The caller holds mu.
func (d *Disk) find(file string) *inode {
	n := d.root
	for name := range strings.SplitSeq(file, "/") {
		if n = n.names[name]; n == nil {
			return nil
		}
	}
	return n
}

// enter gives a file a name. The caller holds mu.
func (d *Disk) enter(dir *inode, name string, n *inode) {
	if old := dir.names[name]; old != nil {
		d.leave(dir, name)
	}
	dir.names[name] = n
	n.links++
	n.path = path.Join(dir.path, name)
	if n.isDir() {
		n.moved()
	}
}

// moved renews the paths of what lies in a directory.
func (n *inode) moved() {
	for name, child := range n.names {
		child.path = path.Join(n.path, name)
		if child.isDir() {
			child.moved()
		}
	}
}

// leave takes a name away. The caller holds mu.
func (d *Disk) leave(dir *inode, name string) {
	n := dir.names[name]
	delete(dir.names, name)
	n.links--
	d.reap(n)
}

// reap gives a file's space back where nothing names it or has it open, and
// forgets it where a loss of power cannot bring it back. The caller holds mu.
func (d *Disk) reap(n *inode) {
	if n.links > 0 || n.opens > 0 {
		return
	}
	if n.syncedLinks > 0 {
		return // its space is not free before the directory is synced
	}
	if d.nodes[n.number] == nil {
		return
	}
	d.used -= int64(len(n.now.pages))
	delete(d.nodes, n.number)
	d.renewed(n, 0, n.now.size)
	for _, child := range n.syncedNames {
		child.syncedLinks--
		d.reap(child)
	}
}

// syncNames brings a directory's names to the disk. The caller holds mu.
func (d *Disk) syncNames(dir *inode) {
	old := dir.syncedNames
	dir.syncedNames = maps.Clone(dir.names)
	for _, n := range dir.syncedNames {
		n.syncedLinks++
	}
	for _, n := range old {
		n.syncedLinks--
		d.reap(n)
	}
}

// sorted answers the keys of a map in order, so that chance alone decides.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
