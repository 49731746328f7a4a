package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// world is what the partition knows of the token since it connected: everything
// in it is of one epoch. It is immutable.
type world struct {
	epoch    uint64 // counts the partition's connections, from 1
	module   uint64 // epoch of the module
	slot     uint
	sessions *sessions
	anchor   sessionHandle // keeps the login while it is open
	identity objectHandle  // private key; 0 where the token has none yet
	public   *ecdsa.PublicKey
	notary   objectHandle // private key; 0 where the token has none
	voice    ed25519.PublicKey
	domains  map[hsm.Generation]domainKey
}

// domainKey is a domain key in the token.
type domainKey struct {
	handle objectHandle
	check  string // key check value
	tag    []byte // tells who made it; empty for a key that the vendor's tools put there
}

// The labels of the token objects that Cofre keeps.
const (
	labelDomain    = "cofre-domain-" // and the generation in decimal
	labelTransport = "cofre-transport"
	labelIdentity  = "cofre-identity"
	labelNotary    = "cofre-notary"
	labelMemory    = "cofre-memory"
)

// sessions are the sessions of an epoch.
type sessions struct {
	mu   sync.Mutex             // held for calls with the anchor
	open map[sessionHandle]bool // as far as we know
}

// openSession opens a session for calls. A token that has lost everything since
// it was connected gives new sessions the numbers of old ones, and then new
// objects those of objects in our cache: it must not come so far.
func (p *Partition) openSession(w *world) (sessionHandle, error) {
	h, err := p.module.OpenSession(w.slot)
	if err != nil {
		return 0, err
	}
	w.sessions.mu.Lock()
	defer w.sessions.mu.Unlock()
	if w.sessions.open[h] {
		return 0, errLost
	}
	w.sessions.open[h] = true
	slot, loggedIn, err := p.module.SessionInfo(w.anchor)
	if err != nil {
		return 0, err
	}
	if slot != w.slot || !loggedIn {
		return 0, errLost
	}
	return h, nil
}

// connect opens a session, logs in, and looks everything up. old is the world
// that was, nil at first: the token must still be the same. It answers the epoch
// of the module in which it succeeded or failed.
func (p *Partition) connect(old *world) (w *world, module uint64, err error) {
	module = p.module.enterAny()
	defer p.module.leave()
	w = &world{epoch: 1, module: module, sessions: &sessions{open: make(map[sessionHandle]bool)}}
	if old != nil {
		w.epoch, w.slot = old.epoch+1, old.slot
	}
	if old == nil || old.module != module { // slots may have other numbers now
		if err := p.choose(w, old == nil); err != nil {
			return nil, module, err
		}
	}
	if w.anchor, err = p.module.OpenSession(w.slot); err != nil {
		return nil, module, err
	}
	w.sessions.open[w.anchor] = true
	s := &session{cryptoki: p.module.cryptoki, handle: w.anchor, w: w, p: p}
	err = s.furnish()
	if err == nil && old != nil && old.identity != 0 && (w.public == nil || !w.public.Equal(old.public)) {
		err = fmt.Errorf("the token has another identity key than before: %w", hsm.ErrUnavailable)
	}
	if err == nil && old != nil && !w.voice.Equal(old.voice) {
		err = fmt.Errorf("the token has another notary key than before: %w", hsm.ErrUnavailable)
	}
	if err != nil {
		_ = p.module.CloseSession(w.anchor) // the first error is the one to tell
		return nil, module, err
	}
	return w, module, nil
}

// choose finds the slot of the one token that the URI names.
func (p *Partition) choose(w *world, first bool) error {
	slots, err := p.module.Slots()
	if err != nil {
		return err
	}
	found := 0
	for _, slot := range slots {
		t, err := p.module.TokenInfo(slot)
		if code(err) == p11.CKR_TOKEN_NOT_PRESENT || code(err) == p11.CKR_TOKEN_NOT_RECOGNIZED {
			continue // another token that is on its way in or out
		}
		if err != nil {
			return err
		}
		if !p.uri.matches(slot, t) || (!first && t.serial != p.token.serial) {
			continue
		}
		found++
		w.slot = slot
		if first {
			p.token = t
		}
	}
	if found != 1 {
		return fmt.Errorf("%d of %d tokens match the URI, want one: %w", found, len(slots), hsm.ErrUnavailable)
	}
	return nil
}

// furnish logs in and fills the session's world.
func (s *session) furnish() error {
	err := s.login()
	if err != nil {
		return err
	}
	if s.w.domains, err = s.findDomains(); err != nil {
		return err
	}
	if s.w.identity, s.w.public, err = s.findIdentity(); err != nil {
		return err
	}
	s.w.notary, s.w.voice, err = s.findNotary()
	return err
}

// findDomains lists the domain keys in the token.
func (s *session) findDomains() (map[hsm.Generation]domainKey, error) {
	handles, err := s.Find(s.handle, []attribute{
		{p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)}, {p11.CKA_KEY_TYPE, uint(p11.CKK_AES)}, {p11.CKA_TOKEN, true},
	})
	if err != nil {
		return nil, err
	}
	domains := make(map[hsm.Generation]domainKey)
	for _, h := range handles {
		g, d, err := s.readDomain(h)
		if err != nil {
			return nil, err
		}
		if g == 0 {
			continue
		}
		if domains[g].handle != 0 {
			return nil, fmt.Errorf("two keys have the label %s%d: %w", labelDomain, g, hsm.ErrUnavailable)
		}
		domains[g] = d
	}
	return domains, nil
}

// readDomain answers 0 for an object that is no domain key.
func (s *session) readDomain(h objectHandle) (hsm.Generation, domainKey, error) {
	label, err := s.Attribute(s.handle, h, p11.CKA_LABEL)
	if err != nil {
		return 0, domainKey{}, err
	}
	number, ok := strings.CutPrefix(string(label), labelDomain)
	g, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || g == 0 || strconv.FormatUint(g, 10) != number {
		return 0, domainKey{}, nil
	}
	d := domainKey{handle: h}
	id, err := s.Attribute(s.handle, h, p11.CKA_ID)
	if err != nil {
		return 0, domainKey{}, err
	}
	if len(id) == checkSize+tagSize {
		d.check, d.tag = fmt.Sprintf("%X", id[:checkSize]), bytes.Clone(id[checkSize:])
		return hsm.Generation(g), d, nil
	}
	// A key that the vendor's tools made or cloned: ask the token.
	check, err := s.Attribute(s.handle, h, p11.CKA_CHECK_VALUE)
	if err != nil {
		return 0, domainKey{}, err
	}
	if len(check) != checkSize {
		return 0, domainKey{}, fmt.Errorf("key %s has no check value: %w", label, hsm.ErrUnsupported)
	}
	d.check = fmt.Sprintf("%X", check)
	return hsm.Generation(g), d, nil
}

// adopt puts domain keys into the partition's world, where that still is the
// session's.
func (s *session) adopt(domains map[hsm.Generation]domainKey) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if w := s.p.world.Load(); w.epoch == s.w.epoch {
		next := *w
		next.domains = domains
		s.p.world.Store(&next)
	}
}

// newest answers the domain key of the highest generation.
func (w *world) newest() (d domainKey, ok bool) {
	var newest hsm.Generation
	for g := range w.domains {
		newest = max(newest, g)
	}
	d, ok = w.domains[newest]
	return d, ok
}
