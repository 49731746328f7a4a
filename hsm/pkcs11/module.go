package pkcs11

import (
	"fmt"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// modules are the modules that the process has loaded, by file. C_Initialize and
// C_Finalize are for the process (PKCS #11 v2.40 §6.6), so the partitions that
// use a module must share it.
type modules struct {
	load func(path string) (cryptoki, error)

	mu     sync.Mutex
	loaded map[string]*module
}

// process is package state because a loaded library is state of the process.
var process = &modules{load: load}

// module is a loaded module, initialized while partitions use it.
type module struct {
	cryptoki

	// initializing is held while the module is initialized or finalized.
	initializing sync.Mutex
	refs         int  // partitions; under initializing
	initialized  bool // under initializing

	mu       sync.Mutex    // held for moments only
	foreign  bool          // somebody else initialized the module, who may rely on it
	epoch    uint64        // counts initializations
	inflight int           // calls inside the module
	closed   bool          // nobody enters: the module is about to be initialized anew
	idle     chan struct{} // while closed; closed itself when inflight gets 0
}

// acquire loads the module where it is not yet, and initializes it for its first
// user.
func (ms *modules) acquire(path string) (*module, error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.loaded[path]
	if m == nil {
		api, err := ms.load(path)
		if err != nil {
			return nil, err
		}
		m = &module{cryptoki: api}
		if ms.loaded == nil {
			ms.loaded = make(map[string]*module)
		}
		ms.loaded[path] = m // for ever: few modules survive being unloaded
	}
	m.initializing.Lock()
	defer m.initializing.Unlock()
	if !m.initialized {
		if err := m.initialize(); err != nil {
			return nil, err
		}
	}
	m.refs++
	return m, nil
}

// initialize needs initializing, and that no call is inside.
func (m *module) initialize() error {
	err := m.Initialize()
	foreign := code(err) == p11.CKR_CRYPTOKI_ALREADY_INITIALIZED
	if err != nil && !foreign {
		return err
	}
	m.initialized = true
	m.mu.Lock()
	defer m.mu.Unlock()
	m.foreign = foreign
	m.epoch++
	return nil
}

// release finalizes the module after its last user, unless a call still runs
// inside it: C_Finalize is undefined then (§11.4), and the process keeps the
// module as it is.
func (m *module) release() error {
	m.initializing.Lock()
	defer m.initializing.Unlock()
	m.refs--
	m.mu.Lock()
	keep := m.refs > 0 || m.foreign || m.inflight > 0
	m.mu.Unlock()
	if keep {
		return nil
	}
	return m.finalize()
}

// finalize needs initializing, and that no call is inside.
func (m *module) finalize() error {
	m.initialized = false
	if err := m.Finalize(); err != nil && code(err) != p11.CKR_CRYPTOKI_NOT_INITIALIZED {
		return err
	}
	return nil
}

// enter begins a call. It is errLost where the module is not in the epoch that
// the caller's handles are from.
func (m *module) enter(epoch uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || epoch != m.epoch {
		return errLost
	}
	m.inflight++
	return nil
}

// enterAny begins a call without handles: it waits for an initialization to end,
// and answers the epoch.
func (m *module) enterAny() (epoch uint64) {
	m.initializing.Lock()
	defer m.initializing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inflight++
	return m.epoch
}

// leave ends a call.
func (m *module) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inflight--
	if m.inflight == 0 && m.closed { // nobody enters, so this happens once
		close(m.idle)
	}
}

// reinitialize finalizes and initializes the module, unless somebody has since
// the given epoch. It waits for the calls inside the module, which all
// partitions share, but not longer than patience: a hung call makes it
// impossible, because C_Finalize beside another call is undefined (§11.4).
func (m *module) reinitialize(epoch uint64, patience time.Duration) error {
	m.initializing.Lock()
	defer m.initializing.Unlock()
	idle, err := m.close(epoch)
	if idle == nil || err != nil {
		return err
	}
	defer m.open()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		return fmt.Errorf("a call hangs inside the module: %w", hsm.ErrUnavailable)
	}
	// Nobody is inside, and nobody enters.
	if err := m.finalize(); err != nil {
		return err
	}
	return m.initialize()
}

// close keeps calls out, and answers a channel that is closed when none is
// inside. It answers nil where the epoch is over.
func (m *module) close(epoch uint64) (idle <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch {
		return nil, nil
	}
	if m.foreign {
		return nil, fmt.Errorf("the module was initialized by another part of the process: %w", hsm.ErrUnavailable)
	}
	m.closed, m.idle = true, make(chan struct{})
	if m.inflight == 0 {
		close(m.idle)
	}
	return m.idle, nil
}

func (m *module) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.idle = false, nil
}
