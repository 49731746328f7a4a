// Package pkcs11 is a partition on a token that a PKCS#11 module serves: an HSM,
// or SoftHSM.
//
// It owns the sessions with the token, the objects that Cofre keeps in it, and
// the cache of handles of unwrapped keys. It does not see key material: keys are
// generated, wrapped, unwrapped, derived and used inside the token. The exceptions
// are key specs that the operator has named (Config.SoftwareAssisted), and
// imported material in an envelope that the token cannot open. It is safe
// because every call to the module goes through one function ([call]), which
// bounds them in number and in time, and because a handle carries the epoch that
// it is from and is not used in another. DESIGN.md of the parent folder argues
// the choices.
package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/cache"
)

// Config says which token to use, and how.
type Config struct {
	// URI names the module and exactly one token; see [ParseURI].
	URI string
	// PIN is the user's PIN of the token. The partition keeps it, to log in again
	// after the token has forgotten the login.
	PIN hsm.PIN
	// Sessions is how many calls run inside the module at once at most; 0 is 16.
	// A token that has fewer sessions has its way. One session more stays open to
	// keep the login.
	Sessions int
	// Timeout bounds every call; 0 is 10 s. Making the RSA key, which takes a
	// minute on some devices, may take 12 times as long.
	Timeout time.Duration
	// CacheKeys bounds the session objects that stay in the token: unwrapped and
	// derived keys; 0 is 4096.
	CacheKeys int
	// SoftwareAssisted are key specs that the partition serves where the token
	// cannot: the token keeps their keys, and they are unwrapped into the process's
	// memory for the moment of use. Those that the token can do are done in it.
	// Where it lets no key in or out in clear, Open fails with ErrUnsupported.
	SoftwareAssisted []hsm.KeySpec
	// Logger gets what happens to the connection; nil is none.
	Logger hclog.Logger
	// Metrics is where the partition registers its figures; nil is nowhere. Two
	// partitions of a process need registerers that tell them apart.
	Metrics prometheus.Registerer
}

const (
	kind             = "pkcs11"
	defaultSessions  = 16
	defaultTimeout   = 10 * time.Second
	defaultCacheKeys = 4096
	slowFactor       = 12
	firstPause       = 50 * time.Millisecond
	longestPause     = 5 * time.Second
)

// Partition is an open token. It is an [hsm.Partition].
type Partition struct {
	uri     *URI
	pin     hsm.PIN
	assist  []hsm.KeySpec // that may be used in memory
	timeout time.Duration
	pause   time.Duration // between recoveries, at first
	origin  time.Time     // what elapsed counts from
	log     hclog.Logger
	figures *figures
	module  *module

	// Set by Open, constant after it.
	token     tokenInfo
	kwp       mechanism // that is RFC 5649
	can       capabilities
	public    *ecdsa.PublicKey
	provision sync.Mutex // held by calls that make token objects, inside the token

	slots     []*slot
	idle      chan *slot   // slots that nobody uses
	abandoned atomic.Int64 // calls whose caller has left
	closed    atomic.Bool
	fault     atomic.Pointer[fault] // nil while the token works
	world     atomic.Pointer[world]
	objects   *cache.Cache[object]
	garbage   garbage
	proved    atomic.Int64 // when the token last proved to work, in elapsed time
	unpads    atomic.Bool  // the token refused OAEP with SHA-256; we take its padding off
	tried     atomic.Bool  // whether it does was tried, before material was put at stake

	mu         sync.Mutex
	recovering *recovery // nil while nobody does
	recovered  time.Time // end of the last recovery
	resting    time.Duration
}

var _ hsm.Partition = (*Partition)(nil)

// Open connects to the token that cfg names, and makes the identity key where it
// has none.
func Open(ctx context.Context, cfg Config) (*Partition, error) {
	return open(ctx, cfg, process)
}

func open(ctx context.Context, cfg Config, from *modules) (*Partition, error) {
	uri, err := ParseURI(cfg.URI)
	if err != nil {
		return nil, err
	}
	p := newPartition(cfg, uri)
	started := make(chan error, 1)
	go func() { started <- p.start(from) }()
	select {
	case err = <-started:
	case <-ctx.Done():
		go func() { <-started; _ = p.Close() }() // if it ever does
		return nil, fmt.Errorf("opening token %s: %w", uri, expired(ctx))
	}
	if err == nil {
		err = p.figures.register(cfg.Metrics)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening token %s: %w", uri, err), p.Close())
	}
	p.log.Info("token opened", "label", p.token.label, "serial", p.token.serial,
		"maker", p.token.manufacturer, "model", p.token.model, "sessions", len(p.slots))
	return p, nil
}

func newPartition(cfg Config, uri *URI) *Partition {
	or := func(n, otherwise int) int {
		if n <= 0 {
			return otherwise
		}
		return n
	}
	p := &Partition{
		uri: uri, pin: cfg.PIN, assist: slices.Clone(cfg.SoftwareAssisted), timeout: cfg.Timeout, log: cfg.Logger, pause: firstPause, origin: time.Now(),
	}
	if p.timeout <= 0 {
		p.timeout = defaultTimeout
	}
	if p.log == nil {
		p.log = hclog.NewNullLogger()
	}
	p.log = p.log.Named("hsm.pkcs11")
	p.objects = cache.New(or(cfg.CacheKeys, defaultCacheKeys), p.discard)
	p.slots = make([]*slot, or(cfg.Sessions, defaultSessions))
	p.figures = newFigures(p)
	return p
}

// start makes the first connection.
func (p *Partition) start(from *modules) error {
	var err error
	if p.module, err = from.acquire(p.uri.module()); err != nil {
		return err
	}
	w, _, err := p.connect(nil)
	if err != nil {
		return err
	}
	p.world.Store(w)
	n := len(p.slots)
	if limit := int(p.token.maxSessions); limit > 0 {
		n = min(n, max(1, limit-2)) // the session that keeps the login, and its successor
	}
	p.slots = p.slots[:n]
	p.idle = make(chan *slot, n)
	for i := range p.slots {
		p.slots[i] = &slot{}
		p.idle <- p.slots[i]
	}
	return p.prepare()
}

// Info describes the partition. Its lists are shared, not to be changed.
func (p *Partition) Info() hsm.Info {
	return hsm.Info{
		Kind: kind, Label: p.token.label, Maker: p.token.manufacturer + " " + p.token.model,
		Serial: p.token.serial, Hardware: true, Specs: p.can.all, Assisted: p.can.assisted, Derivation: hsm.DerivationXAES,
	}
}

// Close ends the sessions, and with them the session objects. It waits for calls
// inside the token, but not for ones that hang; those keep the module loaded.
func (p *Partition) Close() error {
	if p.closed.Swap(true) {
		return hsm.ErrClosed
	}
	p.figures.unregister()
	ended := make(chan error, 1)
	go func() { ended <- p.shutdown() }()
	timer := time.NewTimer(2 * p.timeout)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return fmt.Errorf("closing token %s: %w", p.uri, hsm.ErrTimeout)
	}
}

// shutdown lets go of the token and the module. No call begins any more.
func (p *Partition) shutdown() error {
	if p.module == nil {
		return nil
	}
	p.mu.Lock()
	r := p.recovering
	p.mu.Unlock()
	if r != nil {
		<-r.done
	}
	if w := p.world.Load(); w != nil {
		drained, _ := p.drain(p.timeout)
		p.objects.Purge()
		p.end(w, p.survivors(drained, w))
		for _, sl := range drained {
			p.idle <- sl // who waits for one learns that the partition is closed
		}
	}
	return p.module.release()
}

// elapsed is the clock for what is compared later: the wall clock may jump.
func (p *Partition) elapsed() time.Duration { return time.Since(p.origin) }

// expired is the error of a context that is over.
func expired(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", hsm.ErrTimeout, ctx.Err())
	}
	return ctx.Err()
}
