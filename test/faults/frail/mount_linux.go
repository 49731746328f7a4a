package frail

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// server is the mounted side of a disk.
type server struct {
	dir string
}

// Mount mounts an empty disk of a size in bytes over a directory. It takes
// CAP_SYS_ADMIN and /dev/fuse.
func Mount(dir string, size int64) (*Disk, error) {
	d := newDisk(size)
	d.server.dir = dir
	mounted, err := fuse.NewServer(&kernel{fuse.NewDefaultRawFileSystem(), d}, dir, &fuse.MountOptions{
		DirectMountStrict:  true,
		DisableReadDirPlus: true,
		// Nobody else changes the files; the page cache is emptied when one is opened.
		ExplicitDataCacheControl: true,
		DisableXAttrs:            true,
		FsName:                   "frail",
		Name:                     "frail",
	})
	if err != nil {
		return nil, fmt.Errorf("mounting through FUSE: %w", err)
	}
	go mounted.Serve()
	if err := mounted.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("mounting through FUSE: %w", err), d.Unmount())
	}
	return d, nil
}

// Unmount takes the disk away, even where something uses it. It heals it first.
func (d *Disk) Unmount() error {
	d.Heal()
	return unix.Unmount(d.server.dir, unix.MNT_DETACH)
}

// kernel answers the kernel's requests (fuse(4)). Directory entries and attributes
// are not cached there, so that a disk without power can change them.
type kernel struct {
	fuse.RawFileSystem
	disk *Disk
}

// listed is an entry of a directory that is being read.
type listed = fuse.DirEntry

// status is what an access with the disk's lock comes to.
func status(errno syscall.Errno) fuse.Status { return fuse.Status(errno) }

// node looks an inode up. It goes without the lock afterwards: paths and maps need
// it.
func (k *kernel) node(number uint64) *inode {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	return k.disk.nodes[number]
}

// with does something to an inode, after the fault that it may meet.
func (k *kernel) with(number uint64, kind Kind, fn func(n *inode) syscall.Errno) fuse.Status {
	n := k.node(number)
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	if errno := k.disk.access(kind, n); errno != 0 {
		return status(errno)
	}
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	return status(fn(n))
}

// attributes fills in what stat(2) says. The caller holds the lock.
func (n *inode) attributes(out *fuse.Attr) {
	out.Ino = n.number
	out.Mode = n.mode
	out.Size = uint64(n.now.size)
	out.Blocks = uint64(len(n.now.pages)) * pageSize / 512
	out.Blksize = pageSize
	out.Nlink = uint32(n.links)
	if n.isDir() {
		out.Nlink = 2
	}
	out.Uid, out.Gid = uint32(os.Getuid()), uint32(os.Getgid())
}

func (n *inode) entry(out *fuse.EntryOut) {
	out.NodeId, out.Generation = n.number, 1
	n.attributes(&out.Attr)
}

func (k *kernel) Lookup(_ <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	dir := k.disk.nodes[header.NodeId]
	if dir == nil {
		return fuse.Status(syscall.ESTALE)
	}
	n := dir.names[name]
	if n == nil {
		return fuse.ENOENT
	}
	n.entry(out)
	return fuse.OK
}

func (k *kernel) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	n := k.disk.nodes[in.NodeId]
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	n.attributes(&out.Attr)
	return fuse.OK
}

func (k *kernel) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return k.with(in.NodeId, Write, func(n *inode) syscall.Errno {
		if mode, ok := in.GetMode(); ok {
			n.mode = n.mode&syscall.S_IFMT | mode
		}
		if size, ok := in.GetSize(); ok {
			k.disk.truncate(n, int64(size))
		}
		n.attributes(&out.Attr)
		return 0
	})
}

func (d *Disk) truncate(n *inode, size int64) {
	d.renewed(n, size, max(size, n.now.size))
	d.used -= n.truncate(size)
}

func (k *kernel) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return k.with(in.NodeId, Write, func(dir *inode) syscall.Errno {
		n, errno := k.create(dir, name, syscall.S_IFDIR|in.Mode&^in.Umask)
		if errno == 0 {
			n.entry(out)
		}
		return errno
	})
}

// create makes a new file or directory. The caller holds the lock.
func (k *kernel) create(dir *inode, name string, mode uint32) (*inode, syscall.Errno) {
	if dir.names[name] != nil {
		return nil, syscall.EEXIST
	}
	n := k.disk.make(mode, "")
	k.disk.enter(dir, name, n)
	return n, 0
}

func (k *kernel) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return k.with(in.NodeId, Write, func(dir *inode) syscall.Errno {
		n, errno := k.create(dir, name, syscall.S_IFREG|in.Mode&^in.Umask)
		if errno != 0 {
			return errno
		}
		n.entry(&out.EntryOut)
		k.opened(n, &out.OpenOut)
		return 0
	})
}

func (k *kernel) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return k.with(in.NodeId, Read, func(n *inode) syscall.Errno {
		if in.Flags&syscall.O_TRUNC != 0 {
			k.disk.truncate(n, 0)
		}
		k.opened(n, out)
		return 0
	})
}

// opened counts who has a file open. A handle is the epoch in which it was opened.
func (k *kernel) opened(n *inode, out *fuse.OpenOut) {
	n.opens++
	out.Fh = k.disk.epoch
}

func (k *kernel) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	if n := k.disk.nodes[in.NodeId]; n != nil && in.Fh == k.disk.epoch {
		n.opens--
		k.disk.reap(n)
	}
}

func (k *kernel) Read(_ <-chan struct{}, in *fuse.ReadIn, b []byte) (fuse.ReadResult, fuse.Status) {
	var count int
	s := k.with(in.NodeId, Read, func(n *inode) syscall.Errno {
		count = n.read(b[:min(len(b), int(in.Size))], int64(in.Offset))
		return 0
	})
	return fuse.ReadResultData(b[:count]), s
}

func (k *kernel) Write(_ <-chan struct{}, in *fuse.WriteIn, b []byte) (uint32, fuse.Status) {
	s := k.with(in.NodeId, Write, func(n *inode) syscall.Errno {
		at := int64(in.Offset)
		if errno := k.disk.take(n.missing(at, int64(len(b)))); errno != 0 {
			return errno
		}
		k.disk.renewed(n, at, at+int64(len(b)))
		n.write(b, at)
		return 0
	})
	if !s.Ok() {
		return 0, s
	}
	return uint32(len(b)), s
}

func (k *kernel) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	return k.with(in.NodeId, Write, func(n *inode) syscall.Errno {
		if in.Mode&^unix.FALLOC_FL_KEEP_SIZE != 0 {
			return syscall.EOPNOTSUPP
		}
		at, length := int64(in.Offset), int64(in.Length)
		if errno := k.disk.take(n.missing(at, length)); errno != 0 {
			return errno
		}
		n.allocate(at, length, in.Mode&unix.FALLOC_FL_KEEP_SIZE != 0)
		return 0
	})
}

func (k *kernel) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (k *kernel) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return k.with(in.NodeId, Sync, func(n *inode) syscall.Errno {
		n.sync()
		return 0
	})
}

func (k *kernel) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return k.with(in.NodeId, Sync, func(n *inode) syscall.Errno {
		k.disk.syncNames(n)
		return 0
	})
}

func (k *kernel) Unlink(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return k.with(header.NodeId, Write, func(dir *inode) syscall.Errno {
		if dir.names[name] == nil {
			return syscall.ENOENT
		}
		k.disk.leave(dir, name)
		return 0
	})
}

func (k *kernel) Rmdir(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return k.with(header.NodeId, Write, func(dir *inode) syscall.Errno {
		switch n := dir.names[name]; {
		case n == nil:
			return syscall.ENOENT
		case len(n.names) > 0:
			return syscall.ENOTEMPTY
		}
		k.disk.leave(dir, name)
		return 0
	})
}

func (k *kernel) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	target := k.node(in.Newdir)
	return k.with(in.NodeId, Write, func(dir *inode) syscall.Errno {
		n := dir.names[from]
		switch {
		case n == nil || target == nil:
			return syscall.ENOENT
		case in.Flags&unix.RENAME_NOREPLACE != 0 && target.names[to] != nil:
			return syscall.EEXIST
		case in.Flags&^unix.RENAME_NOREPLACE != 0:
			return syscall.EINVAL
		case target.names[to] == n:
			return 0
		case target.names[to] != nil && len(target.names[to].names) > 0:
			return syscall.ENOTEMPTY
		}
		k.disk.enter(target, to, n)
		n.links-- // its old name; it is not without a name in between
		delete(dir.names, from)
		return 0
	})
}

func (k *kernel) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	n := k.node(in.Oldnodeid)
	return k.with(in.NodeId, Write, func(dir *inode) syscall.Errno {
		switch {
		case n == nil:
			return syscall.ENOENT
		case dir.names[name] != nil:
			return syscall.EEXIST
		}
		k.disk.enter(dir, name, n)
		n.entry(out)
		return 0
	})
}

func (k *kernel) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return k.with(in.NodeId, Read, func(dir *inode) syscall.Errno {
		d := k.disk
		d.next++
		out.Fh = d.next
		list := make([]listed, 0, len(dir.names))
		for i, name := range sorted(dir.names) {
			n := dir.names[name]
			list = append(list, listed{Name: name, Ino: n.number, Mode: n.mode, Off: uint64(i) + 1})
		}
		d.lists[out.Fh] = list
		return 0
	})
}

func (k *kernel) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	list := k.disk.lists[in.Fh]
	for _, e := range list[min(in.Offset, uint64(len(list))):] {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

func (k *kernel) ReleaseDir(in *fuse.ReleaseIn) {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	delete(k.disk.lists, in.Fh)
}

func (k *kernel) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	free := uint64(max(0, k.disk.limit-k.disk.used))
	out.Bsize, out.Frsize, out.NameLen = pageSize, pageSize, 255
	out.Blocks, out.Bfree, out.Bavail = uint64(k.disk.size), free, free
	return fuse.OK
}
