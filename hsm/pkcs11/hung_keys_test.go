package pkcs11

import (
	"context"
	"crypto/rsa"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// TestHungKeyCalls hangs each call to the module that an operation makes: the
// caller leaves in time, others go on, and what the call makes later is put
// away.
func TestHungKeyCalls(t *testing.T) {
	keys := make(map[int]*rsa.PrivateKey)
	other := partner(t)
	for _, name := range []string{
		"sign first", "mac", "open first", "agree", "import inside", "import outside", "generate RSA", "generate assisted", "decapsulate",
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, keys, other)
				calls = b.f.traced(func() { must(t, operations[name](t.Context(), b)) })
			})
			for i := range calls {
				synctest.Test(t, func(t *testing.T) { newBench(t, keys, other).hang(t, operations[name], calls, i) })
			}
		})
	}
}

// hang runs an operation of which one call hangs.
func (b *bench) hang(t *testing.T, operate func(context.Context, *bench) error, calls []string, i int) {
	hang := make(chan struct{})
	b.f.arm(failing{function: calls[i], skip: nth(calls, i), hang: hang})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	took, err := lasting(func() error { return operate(ctx, b) })
	if calls[i] != "C_DestroyObject" { // some are destroyed after the answer
		wants(t, calls[i]+" hangs", err, hsm.ErrTimeout)
	}
	if took > time.Second {
		t.Errorf("%s hangs: it took %v", calls[i], took)
	}
	must(t, b.p.random())
	close(hang)
	synctest.Wait()
	must(t, b.p.random())
	synctest.Wait()
	if n, known := b.f.sessionObjects(), b.p.objects.Len()+b.p.waiting(); n != known {
		t.Errorf("%s hung: %d session objects of which we know %d", calls[i], n, known)
	}
}
