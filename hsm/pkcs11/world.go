package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strconv"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// world is what the partition knows of the token since it connected: everything
// in it is of one epoch. It is immutable.
type world struct {
	epoch    uint64 // counts the partition's connections, from 1
	module   uint64 // epoch of the module
	slot     uint
	anchor   sessionHandle // keeps the login while it is open; nobody else uses it
	identity objectHandle  // private key; 0 where the token has none yet
	public   *ecdsa.PublicKey
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
)

// connect opens a session, logs in, and looks everything up. old is the world
// that was, nil at first: the token must still be the same.
func (p *Partition) connect(old *world) (*world, error) {
	w := &world{epoch: 1, module: p.module.enterAny()}
	defer p.module.leave()
	if old != nil {
		w.epoch, w.slot = old.epoch+1, old.slot
	}
	if old == nil || old.module != w.module { // slots may have other numbers now
		if err := p.choose(w, old == nil); err != nil {
			return nil, err
		}
	}
	var err error
	if w.anchor, err = p.module.OpenSession(w.slot); err != nil {
		return nil, err
	}
	s := &session{cryptoki: p.module.cryptoki, handle: w.anchor, w: w, p: p}
	if err := s.furnish(); err != nil {
		return nil, errors.Join(err, p.module.CloseSession(w.anchor))
	}
	if old != nil && old.identity != 0 && (w.public == nil || !w.public.Equal(old.public)) {
		return nil, errors.Join(fmt.Errorf("the token has another identity key than before: %w", hsm.ErrUnavailable),
			p.module.CloseSession(w.anchor))
	}
	return w, nil
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
	if err := s.Login(s.handle, string(s.p.pin)); err != nil && code(err) != p11.CKR_USER_ALREADY_LOGGED_IN {
		return fmt.Errorf("logging in: %w", err)
	}
	var err error
	if s.w.domains, err = s.findDomains(); err != nil {
		return err
	}
	s.w.identity, s.w.public, err = s.findIdentity()
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
