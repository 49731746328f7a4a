package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// process is what a process has loaded: one module, the fake.
func (f *fake) process() *modules {
	return &modules{load: func(string) (cryptoki, error) { return f, nil }}
}

func fakeConfig(label string) Config {
	return Config{URI: "pkcs11:token=" + label + "?module-path=/fake", PIN: "1234", Sessions: 4, CacheKeys: 32}
}

func openFake(t testing.TB, from *modules, cfg Config) *Partition {
	t.Helper()
	p, err := open(context.Background(), cfg, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // the test may have closed it
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func newSecretKey(t testing.TB, p *Partition) hsm.WrappedKey {
	t.Helper()
	key, err := p.GenerateKey(context.Background(), 1, hsm.SymmetricDefault)
	must(t, err)
	return key
}

func TestFakeConformance(t *testing.T) {
	for _, vague := range []bool{true, false} {
		t.Run(fmt.Sprintf("vague=%v", vague), func(t *testing.T) {
			f := newFake(t, hsmtest.Names()...)
			f.vague = vague
			from := f.process()
			hsmtest.Conformance(t, func(t *testing.T, name string) hsm.Partition {
				return openFake(t, from, fakeConfig(name))
			})
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*fake, *Config)
		want   error
	}{
		"a wrong PIN":      {func(_ *fake, c *Config) { c.PIN = "4321" }, hsm.ErrPIN},
		"a locked PIN":     {func(f *fake, _ *Config) { f.tokens[0].info.locked = true }, hsm.ErrPIN},
		"the last try":     {func(f *fake, _ *Config) { f.tokens[0].info.lastTry = true }, hsm.ErrPIN},
		"no such token":    {func(_ *fake, c *Config) { c.URI = "pkcs11:token=other?module-path=/fake" }, hsm.ErrUnavailable},
		"two such tokens":  {func(_ *fake, c *Config) { c.URI = "pkcs11:manufacturer=Fake?module-path=/fake" }, hsm.ErrUnavailable},
		"no GCM":           {func(f *fake, _ *Config) { f.mechanisms = f.mechanisms[2:] }, hsm.ErrUnsupported},
		"no RFC 5649":      {func(f *fake, _ *Config) { f.wrongPad = true }, hsm.ErrUnsupported},
		"two identities":   {func(f *fake, _ *Config) { f.plant(labelIdentity, 2) }, hsm.ErrUnavailable},
		"half an identity": {func(f *fake, _ *Config) { f.plant(labelIdentity, 1) }, hsm.ErrUnavailable},
	} {
		f := newFake(t, "one", "two")
		cfg := fakeConfig("one")
		test.change(f, &cfg)
		_, err := open(t.Context(), cfg, f.process())
		wants(t, name, err, test.want)
		if f.tokens[0].logins > 1 {
			t.Errorf("%s: %d attempts to log in", name, f.tokens[0].logins)
		}
	}
}

// plant puts private keys of a label into the first token.
func (f *fake) plant(label string, n int) {
	for range n {
		f.tokens[0].objects = append(f.tokens[0].objects, &fakeObject{token: f.tokens[0], template: []attribute{
			{p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)}, {p11.CKA_KEY_TYPE, uint(p11.CKK_EC)}, {p11.CKA_TOKEN, true}, {p11.CKA_LABEL, label},
		}})
	}
}

// TestKeyWrapMechanism: CKM_AES_KEY_WRAP_KWP is taken where
// CKM_AES_KEY_WRAP_PAD means something else.
func TestKeyWrapMechanism(t *testing.T) {
	f := newFake(t, "one")
	f.wrongPad = true
	f.mechanisms = append(f.mechanisms, keyWrapKWP)
	p := openFake(t, f.process(), fakeConfig("one"))
	must(t, p.CreateDomain(t.Context(), 1))
	must(t, p.Check(t.Context()))
}

// TestVendorKey: a domain key that other tools put into the token is used by its
// label, with the token's own check value.
func TestVendorKey(t *testing.T) {
	f := newFake(t, "one")
	token := f.tokens[0]
	token.objects = append(token.objects, &fakeObject{token: token, secret: random(32), template: append(
		secretKey(true, false, p11.CKA_WRAP, p11.CKA_UNWRAP),
		attribute{p11.CKA_LABEL, "cofre-domain-1"}, attribute{p11.CKA_CHECK_VALUE, []byte{1, 2, 0xAB}})})
	p := openFake(t, f.process(), fakeConfig("one"))
	g, err := p.Generations(t.Context())
	if err != nil || len(g) != 1 || g[1] != "0102AB" {
		t.Errorf("the domain keys are %v, %v", g, err)
	}
	must(t, p.Check(t.Context()))
	wants(t, "creating it", p.CreateDomain(t.Context(), 1), hsm.ErrExists)
}

// TestCacheIsBounded: objects that leave the cache are destroyed in the token.
func TestCacheIsBounded(t *testing.T) {
	f := newFake(t, "one")
	p := openFake(t, f.process(), fakeConfig("one"))
	must(t, p.CreateDomain(t.Context(), 1))
	for range 500 {
		_, err := p.Encrypt(t.Context(), newSecretKey(t, p), nil, nil)
		must(t, err)
	}
	if n := f.sessionObjects(); n > 32+2*sweepBatch {
		t.Errorf("%d session objects with a cache of 32", n)
	}
	if n := p.waiting(); n > sweepBatch {
		t.Errorf("%d objects wait to be destroyed", n)
	}
}

// waiting counts the objects that wait to be destroyed.
func (p *Partition) waiting() int {
	p.garbage.mu.Lock()
	defer p.garbage.mu.Unlock()
	return len(p.garbage.objects)
}

func TestNonceEpochEnds(t *testing.T) {
	f := newFake(t, "one")
	p := openFake(t, f.process(), fakeConfig("one"))
	must(t, p.CreateDomain(t.Context(), 1))
	key := newSecretKey(t, p)
	first, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
	must(t, err)
	_, err = call(t.Context(), p, opEncrypt, func(s *session) (none, error) {
		e, err := s.sealer(&key)
		if err == nil {
			e.Value.nonces.End()
			e.Release()
		}
		return none{}, err
	}, nil)
	must(t, err)
	second, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
	must(t, err)
	if [12]byte(first.Nonce[:]) == [12]byte(second.Nonce[:]) {
		t.Error("the epoch went on after its end")
	}
	for _, sealed := range []hsm.Sealed{first, second} {
		if text, err := p.Decrypt(t.Context(), key, sealed, nil); err != nil || string(text) != "text" {
			t.Errorf("decrypted %q, %v", text, err)
		}
	}
}

func TestFigures(t *testing.T) {
	f := newFake(t, "one")
	registry := prometheus.NewPedanticRegistry()
	cfg := fakeConfig("one")
	cfg.Metrics = registry
	from := f.process()
	p := openFake(t, from, cfg)
	must(t, p.CreateDomain(t.Context(), 1))
	_, err := p.Encrypt(t.Context(), newSecretKey(t, p), nil, nil)
	must(t, err)
	families, err := registry.Gather()
	must(t, err)
	if len(families) != 5 { // recoveries have no child yet
		t.Errorf("%d families of figures", len(families))
	}
	if _, err := open(t.Context(), cfg, from); err == nil {
		t.Error("figures are registered twice")
	}
	must(t, p.Close())
	must(t, openFake(t, from, cfg).Close()) // the figures went with the partition
}

func TestPoolObeysTheToken(t *testing.T) {
	f := newFake(t, "one")
	f.tokens[0].info.maxSessions = 4
	cfg := fakeConfig("one")
	cfg.Sessions, cfg.Timeout = 100, time.Minute
	if p := openFake(t, f.process(), cfg); len(p.slots) != 2 {
		t.Errorf("%d sessions for calls", len(p.slots))
	}
}

const crypto256 = crypto.SHA256

// plantPair puts an EC key pair of a label into the first token.
func (f *fake) plantPair(label string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(f.t, err)
	for _, class := range []uint{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY} {
		f.tokens[0].objects = append(f.tokens[0].objects, &fakeObject{token: f.tokens[0], ec: key, template: []attribute{
			{p11.CKA_CLASS, class}, {p11.CKA_KEY_TYPE, uint(p11.CKK_EC)}, {p11.CKA_TOKEN, true}, {p11.CKA_LABEL, label},
		}})
	}
}

// TestUnnoticedLoss: the token forgets everything between two calls, and somebody
// else logs in. The next calls open sessions, which get old numbers, and would
// make objects that get the numbers of those in the cache.
func TestUnnoticedLoss(t *testing.T) {
	f := newFake(t, "one")
	cfg := fakeConfig("one")
	cfg.Sessions = 16
	p := openFake(t, f.process(), cfg)
	ctx := t.Context()
	must(t, p.CreateDomain(ctx, 1))
	a, b := newSecretKey(t, p), newSecretKey(t, p)
	before, err := p.Encrypt(ctx, a, []byte("a"), nil)
	must(t, err)
	f.mu.Lock()
	loseSessions(f)
	f.tokens[0].loggedIn = true
	f.mu.Unlock()
	_, err = p.Encrypt(ctx, b, []byte("b"), nil)
	must(t, err)
	after, err := p.Encrypt(ctx, a, []byte("a"), nil)
	must(t, err)
	p.objects.Purge()
	for _, sealed := range []hsm.Sealed{before, after} {
		if text, err := p.Decrypt(ctx, a, sealed, nil); err != nil || string(text) != "a" {
			t.Errorf("decrypted %q, %v", text, err)
		}
	}
}

// TestPoorToken: a token that takes no keys in clear is believed that its key
// wrapping is RFC 5649, and one without RSA works where domain keys come in by
// other ways.
func TestPoorToken(t *testing.T) {
	f := newFake(t, "one")
	f.mechanisms = f.mechanisms[:len(f.mechanisms)-1]
	f.arm(failing{function: "C_CreateObject", code: p11.CKR_TEMPLATE_INCONSISTENT})
	p := openFake(t, f.process(), fakeConfig("one"))
	ctx := t.Context()
	must(t, p.CreateDomain(ctx, 1))
	must(t, p.Check(ctx))
	_, err := p.TransportKey(ctx)
	wants(t, "a transport key", err, hsm.ErrUnsupported)
	_, err = p.ExportDomain(ctx, 1, partner(t))
	wants(t, "an export", err, hsm.ErrUnsupported)
	wants(t, "an import", p.ImportDomain(ctx, 1, make([]byte, 384)), hsm.ErrUnsupported)
}
