package pkcs11

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// Keys of assisted specs are kept by the token and used outside: wrapped by the
// domain key inside of it like all others, unwrapped into a session object that
// can be read, read, and wiped after one use.

// assists says whether keys of a spec are used in memory.
func (p *Partition) assists(spec hsm.KeySpec) bool { return slices.Contains(p.can.assisted, spec) }

// enlist finds out which specs the operator's list adds to what the token can do.
func (s *session) enlist(specs []hsm.KeySpec) error {
	can := &s.p.can
	for _, spec := range specs {
		if !slices.Contains(algorithm.Specs(), spec) {
			return fmt.Errorf("software-assisted key spec %q: %w", spec, hsm.ErrUnsupported)
		}
	}
	for _, spec := range algorithm.Specs() {
		if slices.Contains(specs, spec) && !s.p.native(spec) {
			can.assisted = append(can.assisted, spec)
		}
	}
	if len(can.assisted) == 0 {
		return nil
	}
	if err := s.tryKeeping(); err != nil {
		return fmt.Errorf("software-assisted key specs, which need keys to go into the token and out of it in clear: %w", err)
	}
	return nil
}

// tryKeeping has known bytes go the way of assisted keys.
func (s *session) tryKeeping() error {
	ferry, err := s.newSecret(p11.CKA_WRAP, p11.CKA_UNWRAP)
	if err != nil {
		return err
	}
	defer s.destroy(ferry)
	known := bytes.Repeat([]byte{1}, 100)
	wrapped, err := s.keep(domainKey{handle: ferry}, known)
	if err != nil {
		return err
	}
	h, err := s.Unwrap(s.handle, s.p.kwp, ferry, wrapped, readable())
	if err != nil {
		return err
	}
	defer s.destroy(h)
	value, err := s.Value(s.handle, h)
	if err == nil && !bytes.HasPrefix(value, known) {
		err = fmt.Errorf("%w: %w", hsm.ErrUnsupported, errOtherwise)
	}
	return err
}

// keep wraps material under a domain key, inside the token.
func (s *session) keep(d domainKey, raw []byte) ([]byte, error) {
	h, err := s.Create(s.handle, append(secretOf(p11.CKK_GENERIC_SECRET, false, true), attribute{p11.CKA_VALUE, raw}))
	if err != nil {
		return nil, err
	}
	defer s.destroy(h)
	return s.Wrap(s.handle, s.p.kwp, d.handle, h)
}

// reveal answers the material of a wrapped key. The caller wipes it.
func (s *session) reveal(key *hsm.WrappedKey) ([]byte, error) {
	h, err := s.unwrap(key, readable())
	if err != nil {
		return nil, err
	}
	defer s.destroy(h)
	return s.Value(s.handle, h) // with SoftHSM's padding, which algorithm.Parse knows
}

// generateAssisted makes a key in memory. The operating system's randomness is
// as good as the token's, and does not depend on it.
func (p *Partition) generateAssisted(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	raw, public, err := algorithm.Generate(spec)
	if err != nil {
		return hsm.WrappedKey{}, err
	}
	defer clear(raw)
	key := hsm.WrappedKey{Generation: g, Spec: spec, Public: public}
	err = p.do(ctx, opGenerate, func(ctx context.Context) (err error) {
		own := bytes.Clone(raw) // the caller may be gone before the call is
		key.Wrapped, err = call(ctx, p, opGenerate, func(s *session) ([]byte, error) {
			defer clear(own)
			d, err := s.domain(g)
			if err != nil {
				return nil, err
			}
			return s.keep(d, own)
		}, nil)
		return err
	})
	return key, err
}

// assisted does something with a key in memory, where it is for no longer.
func assisted[T any](ctx context.Context, p *Partition, op operation, key hsm.WrappedKey, fn func(*algorithm.Key) (T, error)) (T, error) {
	var zero T
	var raw []byte
	err := p.do(ctx, op, func(ctx context.Context) (err error) {
		raw, err = call(ctx, p, op, func(s *session) ([]byte, error) { return s.reveal(&key) }, func(raw []byte) { clear(raw) })
		return err
	})
	if err != nil {
		return zero, err
	}
	defer clear(raw)
	k, err := algorithm.Parse(key.Spec, raw)
	if err != nil {
		return zero, err
	}
	defer k.Wipe()
	return fn(k)
}
