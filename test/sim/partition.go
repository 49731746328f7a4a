package sim

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/soft"
)

// partition is an embedded partition that can die or hang as a device does. Its
// domain keys, which only a joining node asks for, are always there.
type partition struct {
	*soft.Partition
	dead atomic.Bool
	hung atomic.Bool
}

// hangLimit is how long a call of a hung device takes: a partition bounds it.
const hangLimit = 2 * time.Second

// fault is what a call answers, nil where the device works.
func (p *partition) fault(ctx context.Context) error {
	if p.hung.Load() {
		if err := sleep(ctx, hangLimit); err != nil {
			return fmt.Errorf("%w: %w", hsm.ErrTimeout, err)
		}
		return hsm.ErrTimeout
	}
	if p.dead.Load() {
		return hsm.ErrUnavailable
	}
	return nil
}

// Check implements hsm.Token.
func (p *partition) Check(ctx context.Context) error {
	if err := p.fault(ctx); err != nil {
		return err
	}
	return p.Partition.Check(ctx)
}

// Random implements hsm.Token.
func (p *partition) Random(ctx context.Context, b []byte) error {
	if err := p.fault(ctx); err != nil {
		return err
	}
	return p.Partition.Random(ctx, b)
}

// GenerateKey implements hsm.Keys.
func (p *partition) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if err := p.fault(ctx); err != nil {
		return hsm.WrappedKey{}, err
	}
	return p.Partition.GenerateKey(ctx, g, spec)
}

// Encrypt implements hsm.Keys.
func (p *partition) Encrypt(ctx context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	if err := p.fault(ctx); err != nil {
		return hsm.Sealed{}, err
	}
	return p.Partition.Encrypt(ctx, key, plaintext, aad)
}

// Decrypt implements hsm.Keys.
func (p *partition) Decrypt(ctx context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.Decrypt(ctx, key, sealed, aad)
}

// Sign implements hsm.Keys.
func (p *partition) Sign(ctx context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.Sign(ctx, key, alg, digest)
}

// ImportKey implements hsm.Keys.
func (p *partition) ImportKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	if err := p.fault(ctx); err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, err
	}
	return p.Partition.ImportKey(ctx, g, spec, in)
}

// MAC implements hsm.Keys.
func (p *partition) MAC(ctx context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.MAC(ctx, key, alg, message)
}

// Open implements hsm.Keys.
func (p *partition) Open(ctx context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.Open(ctx, key, alg, ciphertext)
}

// Agree implements hsm.Keys.
func (p *partition) Agree(ctx context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.Agree(ctx, key, peer)
}

// Decapsulate implements hsm.Keys.
func (p *partition) Decapsulate(ctx context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	if err := p.fault(ctx); err != nil {
		return nil, err
	}
	return p.Partition.Decapsulate(ctx, key, ciphertext)
}
