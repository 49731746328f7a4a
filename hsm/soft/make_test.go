package soft

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// TestGenerateKeyIsLeftBehind: who asks for a key waits no longer than its
// context, and a key that nobody waits for any more gives its place back.
func TestGenerateKeyIsLeftBehind(t *testing.T) {
	p := withDomain(t, openNew(t))
	for range makers {
		p.makers <- struct{}{} // as many keys are being generated
	}
	over, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.GenerateKey(over, 1, hsm.HMAC256); !errors.Is(err, hsm.ErrTimeout) {
		t.Errorf("with all places taken: %v", err)
	}
	for range makers {
		<-p.makers
	}
	for range 2 * makers {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := p.GenerateKey(ctx, 1, hsm.RSA2048); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("canceled meanwhile: %v", err)
		}
		cancel()
	}
	if _, err := p.GenerateKey(t.Context(), 1, hsm.HMAC256); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
