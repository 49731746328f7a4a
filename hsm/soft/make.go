package soft

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// makers bounds the keys that are generated at a time: an RSA key takes seconds
// of a processor, and whoever asked may have gone.
const makers = 4

// made is a key that was just generated.
type made struct {
	raw, public []byte
	err         error
}

// GenerateKey makes a key and wraps it.
func (p *Partition) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if err := p.usable(ctx); err != nil {
		return hsm.WrappedKey{}, err
	}
	m, err := p.generate(ctx, spec)
	if err != nil {
		return hsm.WrappedKey{}, err
	}
	return p.wrapKey(g, spec, m.raw, m.public)
}

// generate makes a key, and leaves it behind when ctx ends: generation cannot be
// interrupted.
func (p *Partition) generate(ctx context.Context, spec hsm.KeySpec) (made, error) {
	select {
	case p.makers <- struct{}{}:
	case <-ctx.Done():
		return made{}, ended(ctx)
	}
	done := make(chan made)
	go func() {
		defer func() { <-p.makers }()
		var m made
		m.raw, m.public, m.err = algorithm.Generate(spec)
		select {
		case done <- m:
		case <-ctx.Done():
			clear(m.raw)
		}
	}()
	select {
	case m := <-done:
		return m, m.err
	case <-ctx.Done():
		return made{}, ended(ctx)
	}
}

// ImportKey opens material with a wrapping key, and wraps it under the domain key.
func (p *Partition) ImportKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	material, err := p.use(ctx, &in.Wrapping, func(k *algorithm.Key) ([]byte, error) {
		return k.Unwrap(in.Algorithm, in.Material)
	})
	if err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, fmt.Errorf("importing a key of %s: %w", spec, err)
	}
	defer clear(material)
	raw, public, fingerprint, err := algorithm.Import(spec, material)
	if err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, err
	}
	key, err := p.wrapKey(g, spec, raw, public)
	if err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, err
	}
	return key, fingerprint, nil
}

// wrapKey wraps material, and wipes it.
func (p *Partition) wrapKey(g hsm.Generation, spec hsm.KeySpec, raw, public []byte) (hsm.WrappedKey, error) {
	defer clear(raw)
	wrapped, err := p.wrap(g, raw)
	if err != nil {
		return hsm.WrappedKey{}, err
	}
	return hsm.WrappedKey{Generation: g, Spec: spec, Wrapped: wrapped, Public: public}, nil
}

// ended is the error of a context that has ended.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", hsm.ErrTimeout, err)
	}
	return err
}
