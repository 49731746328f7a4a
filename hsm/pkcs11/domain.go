package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strconv"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

var (
	opCheck  = operation{name: "check"}
	opDomain = operation{name: "domain"}
)

const (
	checkSize = 3 // bytes of a key check value
	tagSize   = 8 // bytes that tell one attempt to make a domain key from another
)

// Check wraps and unwraps a key under the newest domain key.
func (p *Partition) Check(ctx context.Context) error {
	return p.do(ctx, opCheck, func(ctx context.Context) error {
		_, err := call(ctx, p, opCheck, func(s *session) (none, error) {
			if len(s.w.domains) == 0 {
				return none{}, hsm.ErrNoDomain
			}
			return none{}, s.check()
		}, nil)
		return err
	})
}

type none struct{}

// check has the token do some of everything that a request needs.
func (s *session) check() error {
	h, err := s.newSecret(p11.CKA_DERIVE)
	if err != nil {
		return err
	}
	defer s.destroy(h)
	if d, ok := s.w.newest(); ok {
		wrapped, err := s.Wrap(s.handle, s.p.kwp, d.handle, h)
		if err != nil {
			return err
		}
		again, err := s.Unwrap(s.handle, s.p.kwp, d.handle, wrapped, secretKey(false, false, p11.CKA_DERIVE))
		if err != nil {
			return err
		}
		s.destroy(again)
	}
	s.p.proved.Store(int64(s.p.elapsed()))
	return nil
}

// Generations lists the domain keys.
func (p *Partition) Generations(ctx context.Context) (map[hsm.Generation]string, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	out := make(map[hsm.Generation]string)
	for g, d := range p.world.Load().domains {
		out[g] = d.check
	}
	return out, nil
}

// CreateDomain makes a domain key in the token.
func (p *Partition) CreateDomain(ctx context.Context, g hsm.Generation) error {
	var tag [tagSize]byte
	_, _ = rand.Read(tag[:]) // never fails
	return p.do(ctx, opDomain, func(ctx context.Context) error {
		_, err := call(ctx, p, opDomain, func(s *session) (none, error) { return none{}, s.createDomain(g, tag) }, nil)
		return err
	})
}

func (s *session) createDomain(g hsm.Generation, tag [tagSize]byte) error {
	s.p.provision.Lock()
	defer s.p.provision.Unlock()
	domains, err := s.findDomains()
	if err != nil {
		return err
	}
	s.adopt(domains)
	if d, ok := domains[g]; ok {
		if bytes.Equal(d.tag, tag[:]) {
			return nil // an attempt that seemed to fail had made it
		}
		return fmt.Errorf("creating domain key %d: %w", g, hsm.ErrExists)
	}
	fresh, err := s.newSecret(p11.CKA_WRAP, p11.CKA_ENCRYPT)
	if err != nil {
		return err
	}
	defer s.destroy(fresh)
	return s.install(domains, g, fresh, tag)
}

// install copies a session object, through a wrapping key that lives for no more
// than that, into the token object that is a domain key. So the key appears in
// the token at once, with its final attributes: it can wrap and unwrap, and be
// wrapped, and nothing else. The session object can encrypt, which is how its
// check value is known; tokens do not compute one for every key (SoftHSM not for
// unwrapped ones).
func (s *session) install(domains map[hsm.Generation]domainKey, g hsm.Generation, key objectHandle, tag [tagSize]byte) error {
	ferry, err := s.newSecret(p11.CKA_WRAP, p11.CKA_UNWRAP)
	if err != nil {
		return err
	}
	defer s.destroy(ferry)
	wrapped, err := s.Wrap(s.handle, s.p.kwp, ferry, key)
	if err != nil {
		return err
	}
	if len(wrapped) != wrappedSecretSize {
		return fmt.Errorf("installing domain key %d: it is no AES-256 key: %w", g, hsm.ErrInvalidKey)
	}
	l, err := s.EncryptBlock(s.handle, key, [16]byte{})
	if err != nil {
		return err
	}
	d := domainKey{check: fmt.Sprintf("%X", l[:checkSize]), tag: tag[:]}
	template := append(secretKey(true, true, p11.CKA_WRAP, p11.CKA_UNWRAP),
		attribute{p11.CKA_LABEL, labelDomain + strconv.FormatUint(uint64(g), 10)},
		attribute{p11.CKA_ID, append(bytes.Clone(l[:checkSize]), tag[:]...)},
		attribute{p11.CKA_MODIFIABLE, false}, // the last one: SoftHSM obeys it at once
	)
	if d.handle, err = s.Unwrap(s.handle, s.p.kwp, ferry, wrapped, template); err != nil {
		return err
	}
	// The key is in the token, which made it durable before it answered.
	next := maps.Clone(domains)
	next[g] = d
	s.adopt(next)
	return nil
}
