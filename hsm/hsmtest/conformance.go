// Package hsmtest owns the test of what every [hsm.Partition] does, and makes
// the SoftHSM tokens that tests use. It knows no implementation, and nothing but
// tests imports it.
package hsmtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// Open opens the partition that a test calls name, making it, empty, the first
// time. Opened again after Close it holds what it held. The test closes it, or
// Open's own clean-up does.
type Open func(t *testing.T, name string) hsm.Partition

// Names are the names of the partitions that Conformance opens, for who has to
// make them beforehand.
func Names() []string {
	return []string{
		"info", "domain", "reopen", "from", "to", "random", "identity", "encrypt",
		"notary", "memory", "tampered", "vectors", "sign", "specs", "import", "published", "invalid", "context", "concurrent", "close",
	}
}

// Conformance tests a kind of partition.
func Conformance(t *testing.T, open Open) {
	t.Run("info", func(t *testing.T) { testInfo(t, open(t, "info")) })
	t.Run("domain", func(t *testing.T) { testDomain(t, open(t, "domain")) })
	t.Run("reopen", func(t *testing.T) { testReopen(t, open) })
	t.Run("transfer", func(t *testing.T) { testTransfer(t, open(t, "from"), open(t, "to")) })
	t.Run("random", func(t *testing.T) { testRandom(t, open(t, "random")) })
	t.Run("identity", func(t *testing.T) { testIdentity(t, open(t, "identity")) })
	t.Run("notary", func(t *testing.T) { testNotary(t, open) })
	t.Run("memory", func(t *testing.T) { testMemory(t, open) })
	t.Run("encrypt", func(t *testing.T) { testEncrypt(t, withDomain(t, open(t, "encrypt"))) })
	t.Run("tampered", func(t *testing.T) { testTampered(t, withDomain(t, open(t, "tampered"))) })
	t.Run("vectors", func(t *testing.T) { testVectors(t, withDomain(t, open(t, "vectors"))) })
	t.Run("sign", func(t *testing.T) { testSign(t, withDomain(t, open(t, "sign"))) })
	t.Run("specs", func(t *testing.T) { Specs(t, withDomain(t, open(t, "specs")), generation) })
	t.Run("import", func(t *testing.T) { Imports(t, withDomain(t, open(t, "import")), generation) })
	t.Run("published", func(t *testing.T) {
		Published(t, PartitionHolder(t, withDomain(t, open(t, "published")), generation))
	})
	t.Run("invalid keys", func(t *testing.T) { testInvalidKeys(t, withDomain(t, open(t, "invalid"))) })
	t.Run("context", func(t *testing.T) { testContext(t, withDomain(t, open(t, "context"))) })
	t.Run("concurrent", func(t *testing.T) { testConcurrent(t, withDomain(t, open(t, "concurrent"))) })
	t.Run("close", func(t *testing.T) { testClose(t, withDomain(t, open(t, "close"))) })
}

// generation is that of the domain key that withDomain makes.
const generation hsm.Generation = 1

func withDomain(t *testing.T, p hsm.Partition) hsm.Partition {
	t.Helper()
	must(t, p.CreateDomain(t.Context(), generation))
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func newKey(t *testing.T, p hsm.Partition, spec hsm.KeySpec) hsm.WrappedKey {
	t.Helper()
	key, err := p.GenerateKey(t.Context(), generation, spec)
	must(t, err)
	if key.Generation != generation || key.Spec != spec || len(key.Wrapped) == 0 {
		t.Fatalf("GenerateKey made %+v", key)
	}
	return key
}

func testInfo(t *testing.T, p hsm.Partition) {
	i := p.Info()
	if i.Kind == "" || i.Label == "" || i.Serial == "" || i.Derivation != hsm.DerivationXAES {
		t.Errorf("info is %+v", i)
	}
	for _, spec := range []hsm.KeySpec{hsm.SymmetricDefault, hsm.ECCNistP256} {
		if !i.Can(spec) {
			t.Errorf("the partition cannot make %s", spec)
		}
	}
	if i.Can("NO_SUCH_SPEC") {
		t.Error("the partition can make anything")
	}
}

func testDomain(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	wants(t, "check without a domain key", p.Check(ctx), hsm.ErrNoDomain)
	_, err := p.GenerateKey(ctx, 1, hsm.SymmetricDefault)
	wants(t, "a key without a domain key", err, hsm.ErrNoDomain)
	if g, err := p.Generations(ctx); err != nil || len(g) != 0 {
		t.Errorf("a new partition has domain keys %v, %v", g, err)
	}
	for _, g := range []hsm.Generation{1, 7} {
		must(t, p.CreateDomain(ctx, g))
		wants(t, "the same again", p.CreateDomain(ctx, g), hsm.ErrExists)
	}
	must(t, p.Check(ctx))
	g, err := p.Generations(ctx)
	must(t, err)
	check := regexp.MustCompile(`^[0-9A-F]{6}$`)
	if len(g) != 2 || !check.MatchString(g[1]) || !check.MatchString(g[7]) || g[1] == g[7] {
		t.Errorf("the domain keys are %v", g)
	}
}

func testReopen(t *testing.T, open Open) {
	ctx := t.Context()
	p := withDomain(t, open(t, "reopen"))
	key := newKey(t, p, hsm.SymmetricDefault)
	sealed, err := p.Encrypt(ctx, key, []byte("text"), nil)
	must(t, err)
	transport, err := p.TransportKey(ctx)
	must(t, err)
	generations, err := p.Generations(ctx)
	must(t, err)
	identity, info := p.Identity().Public(), p.Info()
	must(t, p.Close())

	p = open(t, "reopen")
	if again, err := p.TransportKey(ctx); err != nil || !bytes.Equal(again, transport) {
		t.Errorf("the transport key changed: %v", err)
	}
	if again, err := p.Generations(ctx); err != nil || len(again) != 1 || again[1] != generations[1] {
		t.Errorf("the domain keys changed: %v, %v", again, err)
	}
	if !p.Identity().Public().(*ecdsa.PublicKey).Equal(identity) {
		t.Error("the identity changed")
	}
	if p.Info().Serial != info.Serial {
		t.Error("the serial number changed")
	}
	if text, err := p.Decrypt(ctx, key, sealed, nil); err != nil || string(text) != "text" {
		t.Errorf("decrypted %q, %v", text, err)
	}
}

func testRandom(t *testing.T, p hsm.Partition) {
	for _, n := range []int{0, 1, 32, 1024, 70_000} {
		a, b := make([]byte, n), make([]byte, n)
		must(t, p.Random(t.Context(), a))
		must(t, p.Random(t.Context(), b))
		if n >= 32 && (bytes.Equal(a, b) || bytes.Equal(a[n-32:], make([]byte, 32))) {
			t.Errorf("%d bytes are not random", n)
		}
	}
}

func testIdentity(t *testing.T, p hsm.Partition) {
	signer := p.Identity()
	public, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("the identity is a %T", signer.Public())
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(t, err)
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		t.Error("the signature does not verify")
	}
	_, err = signer.Sign(rand.Reader, digest[:31], crypto.SHA256)
	wants(t, "a short digest", err, hsm.ErrUnsupported)
	_, err = signer.Sign(rand.Reader, make([]byte, 48), crypto.SHA384)
	wants(t, "another digest", err, hsm.ErrUnsupported)

	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, signer)
	must(t, err)
	parsed, err := x509.ParseCertificateRequest(csr)
	must(t, err)
	must(t, parsed.CheckSignature())
}

func testSign(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	digest := sha256.Sum256([]byte("message"))
	for range 20 { // leading zeros in r and s come by chance
		key := newKey(t, p, hsm.ECCNistP256)
		public, err := x509.ParsePKIXPublicKey(key.Public)
		must(t, err)
		signature, err := p.Sign(ctx, key, hsm.ECDSASHA256, digest[:])
		must(t, err)
		if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], signature) {
			t.Fatal("the signature does not verify")
		}
	}
	key := newKey(t, p, hsm.ECCNistP256)
	_, err := p.Sign(ctx, key, hsm.ECDSASHA256, digest[:31])
	wants(t, "a short digest", err, hsm.ErrUnsupported)
	_, err = p.Sign(ctx, key, "RSASSA_PSS_SHA_256", digest[:])
	wants(t, "another algorithm", err, hsm.ErrUnsupported)
	_, err = p.Sign(ctx, newKey(t, p, hsm.SymmetricDefault), hsm.ECDSASHA256, digest[:])
	wants(t, "a secret key", err, hsm.ErrUnsupported)
	_, err = p.Encrypt(ctx, key, []byte("text"), nil)
	wants(t, "encrypting with a private key", err, hsm.ErrUnsupported)
}

func testContext(t *testing.T, p hsm.Partition) {
	key := newKey(t, p, hsm.SymmetricDefault)
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for ctx, want := range map[context.Context]error{over: hsm.ErrTimeout, canceled: context.Canceled} {
		_, err := p.Encrypt(ctx, key, nil, nil)
		wants(t, "encrypt", err, want)
		_, err = p.GenerateKey(ctx, generation, hsm.SymmetricDefault)
		wants(t, "generate", err, want)
		wants(t, "check", p.Check(ctx), want)
		wants(t, "create domain", p.CreateDomain(ctx, 9), want)
		wants(t, "random", p.Random(ctx, make([]byte, 1)), want)
	}
	must(t, p.Check(t.Context()))
}

func testClose(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	key, private := newKey(t, p, hsm.SymmetricDefault), newKey(t, p, hsm.ECCNistP256)
	sealed, err := p.Encrypt(ctx, key, []byte("text"), nil)
	must(t, err)
	transport, err := p.TransportKey(ctx)
	must(t, err)
	wrapped, err := p.ExportDomain(ctx, generation, transport)
	must(t, err)
	must(t, p.Close())
	digest := make([]byte, sha256.Size)
	for name, call := range map[string]func() error{
		"close":         p.Close,
		"check":         func() error { return p.Check(ctx) },
		"random":        func() error { return p.Random(ctx, make([]byte, 8)) },
		"generations":   func() error { _, err := p.Generations(ctx); return err },
		"create domain": func() error { return p.CreateDomain(ctx, 2) },
		"transport":     func() error { _, err := p.TransportKey(ctx); return err },
		"export":        func() error { _, err := p.ExportDomain(ctx, generation, transport); return err },
		"import":        func() error { return p.ImportDomain(ctx, generation, wrapped) },
		"generate":      func() error { _, err := p.GenerateKey(ctx, generation, hsm.SymmetricDefault); return err },
		"encrypt":       func() error { _, err := p.Encrypt(ctx, key, nil, nil); return err },
		"decrypt":       func() error { _, err := p.Decrypt(ctx, key, sealed, nil); return err },
		"sign":          func() error { _, err := p.Sign(ctx, private, hsm.ECDSASHA256, digest); return err },
		"identity":      func() error { _, err := p.Identity().Sign(nil, digest, crypto.SHA256); return err },
	} {
		wants(t, name, call(), hsm.ErrClosed)
	}
}

// exportTo answers a domain key in clear: the test is the partition that it is
// exported to.
func exportTo(t *testing.T, p hsm.Partition, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	wrapped, err := p.ExportDomain(t.Context(), generation, der)
	must(t, err)
	raw, err := rsa.DecryptOAEP(sha1New(), nil, key, wrapped, nil)
	must(t, err)
	if len(raw) != 32 {
		t.Fatalf("a domain key has %d bytes", len(raw))
	}
	return raw
}
