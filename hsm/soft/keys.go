package soft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

// Encrypt seals a message with the key's epoch.
func (p *Partition) Encrypt(ctx context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	for {
		m, err := p.openSecret(ctx, &key)
		if err != nil {
			return hsm.Sealed{}, err
		}
		nonce, ok := m.Value.epoch.Next()
		if !ok { // the epoch is over: unwrap the key again, which begins one
			p.material.Remove(m)
			m.Release()
			continue
		}
		// The nonce goes in front of the ciphertext: one allocation for both.
		out := make([]byte, hsm.NonceSize, hsm.NonceSize+len(plaintext)+hsm.TagSize)
		copy(out, nonce[:])
		out = m.Value.sealer.Seal(out, out[xaes.PrefixSize:hsm.NonceSize], plaintext, aad)
		m.Release()
		return hsm.Sealed{Derivation: hsm.DerivationXAES, Nonce: nonce, Body: out[hsm.NonceSize:]}, nil
	}
}

// Decrypt opens a message.
func (p *Partition) Decrypt(ctx context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	if sealed.Derivation != hsm.DerivationXAES || len(sealed.Body) < hsm.TagSize {
		return nil, hsm.ErrInvalidCiphertext
	}
	a, err := p.opener(ctx, &key, xaes.Prefix(sealed.Nonce))
	if err != nil {
		return nil, err
	}
	defer a.Release()
	const inner = hsm.NonceSize - xaes.PrefixSize
	out := make([]byte, inner, inner+len(sealed.Body)-hsm.TagSize)
	copy(out, sealed.Nonce[xaes.PrefixSize:])
	plaintext, err := a.Value.Open(out[inner:], out[:inner], sealed.Body, aad)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

// Random fills b.
func (p *Partition) Random(ctx context.Context, b []byte) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	_, _ = rand.Read(b) // never fails
	return nil
}

// wrap wraps raw under the domain key of generation g.
func (p *Partition) wrap(g hsm.Generation, raw []byte) ([]byte, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	d, err := p.domain(g)
	if err != nil {
		return nil, err
	}
	return kwp.Wrap(d.block, raw)
}

// unwrap undoes wrap. The caller wipes what it answers.
func (p *Partition) unwrap(g hsm.Generation, wrapped []byte) ([]byte, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	d, err := p.domain(g)
	if err != nil {
		return nil, err
	}
	raw, err := kwp.Unwrap(d.block, wrapped)
	if errors.Is(err, kwp.ErrInvalid) {
		return nil, hsm.ErrInvalidKey
	}
	return raw, err
}

// domain answers a domain key. It needs mu.
func (p *Partition) domain(g hsm.Generation) (*domainKey, error) {
	if p.closed.Load() {
		return nil, hsm.ErrClosed
	}
	d := p.domains[g]
	if d == nil {
		return nil, fmt.Errorf("generation %d: %w", g, hsm.ErrNoDomain)
	}
	return d, nil
}
