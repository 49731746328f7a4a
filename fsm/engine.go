package fsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// errCorrupt is returned when what is stored contradicts itself.
var errCorrupt = errors.New("fsm: store is corrupt")

const (
	// memTableBytes is how much is applied between two flushes.
	memTableBytes = 32 << 20
	// commitBytes is how large a Pebble batch grows before it is committed between
	// two entries. With an entry on top (MaxBatch and its tiles) it stays below
	// half a memtable, beyond which Pebble treats batches another way.
	commitBytes = 4 << 20
)

// engineOptions configures Pebble: no write-ahead log, since Raft's log is one;
// the newest format; filters, so that a look-up of an absent key reads nothing.
func engineOptions(fs vfs.FS, cache *pebble.Cache, f *failure) *pebble.Options {
	opts := &pebble.Options{
		FS:                 fs,
		Cache:              cache,
		DisableWAL:         true,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       memTableBytes,
		Logger:             f,
		EventListener: &pebble.EventListener{
			BackgroundError: f.set,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { f.set(fmt.Errorf("%w: %s", errCorrupt, info)) },
		},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return opts
}

// failure is the first error of the disk behind a Pebble database. Pebble writes
// in the background: it reports an error there to its event listener and tries
// again, and one that would leave its manifest behind its memory to
// Logger.Fatalf, which must not return and by default ends the process. Both end
// here: the store fails, each later call answers the error, and the replica's
// owner decides how the process goes down.
type failure struct {
	once    sync.Once
	err     error          // written before done is closed
	done    chan struct{}  // closed by the first failure
	running sync.WaitGroup // what run has begun and may have left behind
}

func newFailure() *failure { return &failure{done: make(chan struct{})} }

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = fmt.Errorf("state store failed: %w", err)
		close(f.done)
	})
}

// get is the first failure, nil as long as there was none.
func (f *failure) get() error {
	select {
	case <-f.done:
		return f.err
	default:
		return nil
	}
}

// run runs fn, which waits on Pebble, and returns when it has or when the store
// fails, whichever is first: a Pebble that cannot flush makes writers wait for
// ever. In that case fn is left behind and its results must not be used.
func (f *failure) run(fn func() error) error {
	if err := f.get(); err != nil {
		return err
	}
	ran := make(chan error, 1)
	f.running.Go(func() { ran <- fn() })
	select {
	case err := <-ran:
		return err
	case <-f.done:
		return f.err
	}
}

// Infof implements pebble.Logger: Pebble's diary interests nobody.
func (f *failure) Infof(string, ...any) {}

// Errorf implements pebble.Logger: what matters comes as an event too.
func (f *failure) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger. Pebble calls it where it cannot go on, often
// with its locks held, and expects it not to return. The goroutine parks with
// those locks, so that nothing more is written to a database whose manifest may
// be torn; what is on the disk is a consistent prefix all the same, and the next
// Open finds it.
func (f *failure) Fatalf(format string, args ...any) {
	f.set(fmt.Errorf(format, args...))
	select {}
}
