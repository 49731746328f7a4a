package soft

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
)

// ImportKey implements hsm.Maker.
func (p *Partition) ImportKey(_ context.Context, _ hsm.Generation, spec hsm.KeySpec, _ hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	return hsm.WrappedKey{}, hsm.Fingerprint{}, fmt.Errorf("importing key spec %q: %w", spec, hsm.ErrUnsupported)
}

// MAC implements hsm.Symmetric.
func (p *Partition) MAC(_ context.Context, key hsm.WrappedKey, _ hsm.MACAlgorithm, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("MAC with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
}

// Open implements hsm.Private.
func (p *Partition) Open(_ context.Context, key hsm.WrappedKey, _ hsm.EncryptionAlgorithm, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("opening with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
}

// Agree implements hsm.Private.
func (p *Partition) Agree(_ context.Context, key hsm.WrappedKey, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("agreeing with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
}

// Decapsulate implements hsm.Private.
func (p *Partition) Decapsulate(_ context.Context, key hsm.WrappedKey, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("decapsulating with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
}
