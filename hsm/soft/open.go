// Package soft is the partition that needs no device: the keys live in a file
// sealed under the PIN and, while it is open, in the memory of the process. It
// is for a first run, for tests and simulation, and says at start that it is no
// HSM.
//
// It owns the partition file and the secrets in it; it never writes one out but
// wrapped or sealed, and never shares the file with another process. It is safe
// because a change is durable before it is acknowledged, a crash leaves the old
// file or the new one, and secrets are wiped when they are dropped, as far as Go
// lets us (see DESIGN.md of the parent folder).
package soft

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/cache"
)

// Config says which partition to open.
type Config struct {
	// Path is the partition file. It is made, mode 0600, where there is none, in
	// a folder that exists; Path + ".lock" lies beside it.
	Path string
	// PIN opens the file, and seals a new one. It must not be empty.
	PIN hsm.PIN
	// Cost is what sealing a new file costs; zero is DefaultCost. A file that
	// exists keeps its own.
	Cost Cost
	// CacheKeys bounds the unwrapped keys, and the derived keys, that are kept
	// in memory; 0 is 4096. Each takes about 2 KiB; private keys of RSA_… take 10,
	// of ML_DSA_… 90.
	CacheKeys int
	// Logger gets a warning that this is no HSM; nil is none.
	Logger hclog.Logger
}

// ErrWrongPIN is returned by Open when the PIN does not open the file, or the
// file is damaged: an authenticated seal cannot tell.
var ErrWrongPIN = fmt.Errorf("%w: the PIN is wrong, or the partition file is damaged", hsm.ErrPIN)

// ErrLocked is returned by Open when another process has the partition open.
var ErrLocked = errors.New("another process has the partition open")

const (
	kind             = "soft"
	label            = "cofre-soft"
	defaultCacheKeys = 4096
	serialSize       = 8 // bytes
)

// Partition is an open partition file. It is an [hsm.Partition].
type Partition struct {
	path     string
	log      hclog.Logger
	serial   string
	identity *signer
	notary   *notary

	closed   atomic.Bool
	material *cache.Cache[*material] // unwrapped keys
	derived  *cache.Cache[*aead]     // keys derived to open messages
	makers   chan struct{}           // has an element for each key that is being generated

	// mu guards what follows. A cache hit does not need it.
	mu      sync.RWMutex
	unlock  func() error
	seal    *seal
	vault   *vault
	domains map[hsm.Generation]*domainKey
}

var _ hsm.Partition = (*Partition)(nil)

// Open opens the partition file, and makes it first where there is none. It
// takes as long as cfg.Cost says, whatever ctx does.
func Open(ctx context.Context, cfg Config) (*Partition, error) {
	if cfg.PIN == "" {
		return nil, errors.New("opening soft partition: the PIN is empty")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("opening soft partition: %w", err)
	}
	unlock, err := lockFile(cfg.Path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("locking partition file %s: %w", cfg.Path, err)
	}
	p := newPartition(cfg)
	p.unlock = unlock
	if err := p.load(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("opening partition file %s: %w", cfg.Path, err), p.Close())
	}
	p.log.Warn("this partition is software: it is no HSM, and its keys are in the memory of this process",
		"path", cfg.Path, "serial", p.serial)
	return p, nil
}

func newPartition(cfg Config) *Partition {
	log := cfg.Logger
	if log == nil {
		log = hclog.NewNullLogger()
	}
	keys := cfg.CacheKeys
	if keys <= 0 {
		keys = defaultCacheKeys
	}
	return &Partition{
		path:     cfg.Path,
		log:      log.Named("hsm.soft"),
		material: cache.New(keys, (*material).wipe),
		derived:  cache.New(keys, (*aead).wipe),
		makers:   make(chan struct{}, makers),
	}
}

// load reads the file, or makes it.
func (p *Partition) load(cfg Config) error {
	s, v, err := readFile(cfg.Path, cfg.PIN)
	if errors.Is(err, fs.ErrNotExist) {
		s, v, err = create(cfg)
	}
	if err != nil {
		return err
	}
	p.seal = s
	return p.adopt(v)
}

// create makes a new partition file with the node's own keys and no domain key.
func create(cfg Config) (*seal, *vault, error) {
	cost := cfg.Cost
	if cost == (Cost{}) {
		cost = DefaultCost
	}
	s, err := newSeal(cfg.PIN, cost)
	if err != nil {
		return nil, nil, err
	}
	identity, err := newIdentity()
	if err != nil {
		return nil, nil, err
	}
	defer clear(identity)
	seed := newNotarySeed()
	defer clear(seed)
	serial := make([]byte, serialSize)
	_, _ = rand.Read(serial) // never fails (crypto/rand.Read)
	v, err := newVault([]object{
		{kind: objectSerial, value: serial},
		{kind: objectIdentity, value: identity},
		{kind: objectNotary, value: seed},
	})
	if err != nil {
		return nil, nil, err
	}
	if err := writeFile(cfg.Path, s, v.bytes); err != nil {
		return nil, nil, err
	}
	return s, v, nil
}

// adopt makes v what the partition holds, and frees what it held before. It
// needs mu, except in Open.
func (p *Partition) adopt(v *vault) error {
	domains, err := v.domains()
	if err == nil && p.identity == nil {
		p.serial = hex.EncodeToString(v.find(objectSerial, 0))
		p.identity, err = newSigner(v.find(objectIdentity, 0))
	}
	if err == nil && p.notary == nil {
		p.notary, err = newNotary(v.find(objectNotary, 0))
	}
	if err != nil {
		v.free()
		return err
	}
	wipeDomains(p.domains)
	p.vault.free()
	p.vault, p.domains = v, domains
	return nil
}

// Info describes the partition.
func (p *Partition) Info() hsm.Info {
	return hsm.Info{
		Kind: kind, Label: label, Maker: "Cofre software partition", Serial: p.serial,
		Specs:      algorithm.Specs(),
		Derivation: hsm.DerivationXAES,
	}
}

// Close wipes the secrets and lets another process open the file.
func (p *Partition) Close() error {
	if p.closed.Swap(true) {
		return hsm.ErrClosed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.material.Purge()
	p.derived.Purge()
	wipeDomains(p.domains)
	p.domains = nil
	p.vault.free()
	p.seal.free()
	if p.identity != nil {
		p.identity.close()
	}
	if p.notary != nil {
		p.notary.close()
	}
	if err := p.unlock(); err != nil {
		return fmt.Errorf("unlocking partition file: %w", err)
	}
	return nil
}

// usable is asked at the beginning of every call.
func (p *Partition) usable(ctx context.Context) error {
	if p.closed.Load() {
		return hsm.ErrClosed
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return nil
}
