package hsmtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

func testTransfer(t *testing.T, from, to hsm.Partition) {
	ctx := t.Context()
	must(t, from.CreateDomain(ctx, 1))
	must(t, from.CreateDomain(ctx, 2))
	wants(t, "import before there is a transport key", to.ImportDomain(ctx, 1, make([]byte, 384)), hsm.ErrInvalidKey)
	transport, err := to.TransportKey(ctx)
	must(t, err)
	wrapped, err := from.ExportDomain(ctx, 1, transport)
	must(t, err)
	must(t, to.ImportDomain(ctx, 1, wrapped))
	must(t, to.ImportDomain(ctx, 1, wrapped)) // changes nothing
	a, err := from.Generations(ctx)
	must(t, err)
	b, err := to.Generations(ctx)
	must(t, err)
	if len(b) != 1 || a[1] != b[1] {
		t.Errorf("exported %v, imported %v", a, b)
	}

	second, err := from.ExportDomain(ctx, 2, transport)
	must(t, err)
	wants(t, "another key under the number", to.ImportDomain(ctx, 1, second), hsm.ErrExists)
	if again, err := to.Generations(ctx); err != nil || again[1] != b[1] {
		t.Errorf("a refused import changed the domain keys: %v, %v", again, err)
	}
	_, err = from.ExportDomain(ctx, 3, transport)
	wants(t, "exporting what is not there", err, hsm.ErrNoDomain)
	wrapped[5] ^= 1
	wants(t, "a changed export", to.ImportDomain(ctx, 3, wrapped), hsm.ErrInvalidKey)
	wants(t, "a short export", to.ImportDomain(ctx, 3, wrapped[:40]), hsm.ErrInvalidKey)
	testBadTransport(t, from)
	testForeignImport(t, to, transport)
}

// testBadTransport: a domain key is wrapped to nothing weak.
func testBadTransport(t *testing.T, p hsm.Partition) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	for name, public := range map[string]any{"RSA-2048": &weak.PublicKey, "P-256": &curve.PublicKey} {
		der, err := x509.MarshalPKIXPublicKey(public)
		must(t, err)
		_, err = p.ExportDomain(t.Context(), 1, der)
		wants(t, name, err, hsm.ErrInvalidKey)
	}
	_, err = p.ExportDomain(t.Context(), 1, []byte("no key"))
	wants(t, "no key", err, hsm.ErrInvalidKey)
}

// testForeignImport: what is wrapped well but is no AES-256 key is refused.
func testForeignImport(t *testing.T, p hsm.Partition, transport []byte) {
	public, err := hsm.ParseTransportKey(transport)
	must(t, err)
	wrapped, err := rsa.EncryptOAEP(sha1New(), rand.Reader, public, make([]byte, 16), nil)
	must(t, err)
	wants(t, "a key of 16 bytes", p.ImportDomain(t.Context(), 4, wrapped), hsm.ErrInvalidKey)
	if g, err := p.Generations(t.Context()); err != nil || g[4] != "" {
		t.Errorf("a refused import left %v, %v", g, err)
	}
}

// Cross tests that two empty partitions of different kinds share what they must:
// a domain key made by either goes to the other, and each opens and signs with
// what the other made.
func Cross(t *testing.T, a, b hsm.Partition) {
	move(t, a, b, 1)
	move(t, b, a, 2)
	move(t, a, b, 3)
	for _, g := range []hsm.Generation{1, 2, 3} {
		exchange(t, a, b, g)
		exchange(t, b, a, g)
	}
	exchangeSpecs(t, a, b, 1)
	exchangeSpecs(t, b, a, 2)
	ga, err := a.Generations(t.Context())
	must(t, err)
	gb, err := b.Generations(t.Context())
	must(t, err)
	for g := range ga {
		if ga[g] != gb[g] {
			t.Errorf("generation %d has check values %s and %s", g, ga[g], gb[g])
		}
	}
}

// move makes a domain key in one partition and takes it to the other.
func move(t *testing.T, from, to hsm.Partition, g hsm.Generation) {
	t.Helper()
	ctx := t.Context()
	must(t, from.CreateDomain(ctx, g))
	transport, err := to.TransportKey(ctx)
	must(t, err)
	wrapped, err := from.ExportDomain(ctx, g, transport)
	must(t, err)
	must(t, to.ImportDomain(ctx, g, wrapped))
	must(t, to.Check(ctx))
}

// exchange uses keys of one partition in the other.
func exchange(t *testing.T, from, to hsm.Partition, g hsm.Generation) {
	t.Helper()
	ctx := t.Context()
	key, err := from.GenerateKey(ctx, g, hsm.SymmetricDefault)
	must(t, err)
	text, aad := []byte("from one to the other"), []byte("aad")
	for _, pair := range [][2]hsm.Partition{{from, to}, {to, from}} {
		sealed, err := pair[0].Encrypt(ctx, key, text, aad)
		must(t, err)
		if got, err := pair[1].Decrypt(ctx, key, sealed, aad); err != nil || !bytes.Equal(got, text) {
			t.Errorf("decrypted %q, %v", got, err)
		}
	}
	private, err := from.GenerateKey(ctx, g, hsm.ECCNistP256)
	must(t, err)
	public, err := x509.ParsePKIXPublicKey(private.Public)
	must(t, err)
	digest := sha256.Sum256(text)
	signature, err := to.Sign(ctx, private, hsm.ECDSASHA256, digest[:])
	must(t, err)
	if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], signature) {
		t.Error("the other partition's signature does not verify")
	}
}

// exchangeSpecs uses keys of all specs that both partitions list, of one in the
// other.
func exchangeSpecs(t *testing.T, from, to hsm.Partition, g hsm.Generation) {
	t.Helper()
	for _, spec := range algorithm.Specs() {
		if from.Info().Can(spec) && to.Info().Can(spec) {
			key, err := from.GenerateKey(t.Context(), g, spec)
			must(t, err)
			useKey(t, to, key)
		}
	}
}
