package pkcs11

import (
	"bytes"
	"slices"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// use has a partition do with a key whatever its spec is for, and compares with
// arithmetic on the public key.
func use(t *testing.T, p hsm.Partition, key hsm.WrappedKey) {
	t.Helper()
	for _, alg := range algorithm.SigningAlgorithms(key.Spec) {
		useSign(t, p, key, alg)
	}
	for _, alg := range algorithm.EncryptionAlgorithms(key.Spec) {
		useOpen(t, p, key, alg)
	}
	if algorithm.Agrees(key.Spec) {
		useAgree(t, p, key)
	}
	if algorithm.Encapsulates(key.Spec) {
		useDecapsulate(t, p, key)
	}
	if key.Spec == hsm.SymmetricDefault {
		sealed, err := p.Encrypt(t.Context(), key, []byte("text"), []byte("aad"))
		must(t, err)
		text, err := p.Decrypt(t.Context(), key, sealed, []byte("aad"))
		if err != nil || string(text) != "text" {
			t.Errorf("decrypted %q, %v", text, err)
		}
	}
}

func useSign(t *testing.T, p hsm.Partition, key hsm.WrappedKey, alg hsm.SigningAlgorithm) {
	t.Helper()
	ctx, digest := t.Context(), random(algorithm.DigestSize(alg))
	signature, err := p.Sign(ctx, key, alg, digest)
	if err != nil {
		t.Errorf("%s: %v", alg, err)
		return
	}
	if err := algorithm.Verify(key.Public, key.Spec, alg, digest, signature); err != nil {
		t.Errorf("%s: %v", alg, err)
	}
	if len(digest) > 0 {
		_, err = p.Sign(ctx, key, alg, digest[1:])
		wants(t, string(alg)+" of a short digest", err, hsm.ErrUnsupported)
	}
}

func useOpen(t *testing.T, p hsm.Partition, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm) {
	t.Helper()
	ctx := t.Context()
	for _, text := range [][]byte{{1}, random(algorithm.MaxPlaintext(key.Spec, alg))} {
		ciphertext, err := algorithm.Encrypt(key.Public, key.Spec, alg, text)
		must(t, err)
		if got, err := p.Open(ctx, key, alg, ciphertext); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: opened %d bytes to %d, %v", alg, len(text), len(got), err)
		}
		for name, wrong := range map[string][]byte{
			"changed": append(bytes.Clone(ciphertext[:len(ciphertext)-1]), ciphertext[len(ciphertext)-1]^1),
			"short":   ciphertext[1:], "long": append(bytes.Clone(ciphertext), 0), "empty": {},
			"too large": bytes.Repeat([]byte{0xFF}, len(ciphertext)), "zero": make([]byte, len(ciphertext)),
		} {
			_, err := p.Open(ctx, key, alg, wrong)
			wants(t, string(alg)+", "+name, err, hsm.ErrInvalidCiphertext)
		}
	}
}

func useAgree(t *testing.T, p hsm.Partition, key hsm.WrappedKey) {
	t.Helper()
	raw, public, err := algorithm.Generate(key.Spec)
	must(t, err)
	peer, err := algorithm.Parse(key.Spec, raw)
	must(t, err)
	want, err := peer.Agree(key.Public)
	must(t, err)
	if got, err := p.Agree(t.Context(), key, public); err != nil || !bytes.Equal(got, want) {
		t.Errorf("agreed on %x, %v, want %x", got, err, want)
	}
	off := bytes.Clone(public)
	off[len(off)-1] ^= 1
	_, other, err := algorithm.Generate(hsm.ECCNistEdwards25519)
	must(t, err)
	for name, wrong := range map[string][]byte{"off the curve": off, "another kind": other, "empty": nil, "cut": public[:40]} {
		_, err := p.Agree(t.Context(), key, wrong)
		wants(t, "a peer's key "+name, err, hsm.ErrInvalidKey)
	}
}

func useDecapsulate(t *testing.T, p hsm.Partition, key hsm.WrappedKey) {
	t.Helper()
	want, ciphertext, err := algorithm.Encapsulate(key.Public, key.Spec)
	must(t, err)
	if got, err := p.Decapsulate(t.Context(), key, ciphertext); err != nil || !bytes.Equal(got, want) {
		t.Errorf("decapsulated %x, %v, want %x", got, err, want)
	}
	_, err = p.Decapsulate(t.Context(), key, ciphertext[1:])
	wants(t, "a short ciphertext", err, hsm.ErrInvalidCiphertext)
}

// TestFakeSpecs: what a token can do, its keys do; wrong input is no failure of
// the token.
func TestFakeSpecs(t *testing.T) {
	for name, vague := range map[string]bool{"as SoftHSM": true, "precise": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "one")
			f.vague = vague
			p := openFake(t, f.process(), fakeConfig("one"))
			must(t, p.CreateDomain(t.Context(), 1))
			if p.Info().Can(hsm.ECCNistEdwards25519) == vague || p.Info().Can(hsm.ECCSecgP256K1) {
				t.Errorf("the token can make %v", p.Info().Specs)
			}
			useAll(t, p)
		})
	}
}

func useAll(t *testing.T, p *Partition) {
	t.Helper()
	epoch := p.world.Load().epoch
	for _, spec := range p.Info().Specs {
		t.Run(string(spec), func(t *testing.T) {
			key, err := p.GenerateKey(t.Context(), 1, spec)
			must(t, err)
			use(t, p, key)
			must(t, p.Check(t.Context()))
		})
	}
	for _, spec := range algorithm.Specs() {
		if !slices.Contains(p.Info().Specs, spec) {
			_, err := p.GenerateKey(t.Context(), 1, spec)
			wants(t, string(spec), err, hsm.ErrUnsupported)
		}
	}
	if now := p.world.Load().epoch; now != epoch {
		t.Errorf("the token was connected anew %d times", now-epoch)
	}
}

// TestFakeAssisted: what the token lacks is done in memory where the operator
// says so, and only that.
func TestFakeAssisted(t *testing.T) {
	f := newFake(t, "one")
	p := openAssisted(t, f)
	want := []hsm.KeySpec{
		hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519, hsm.SM2, hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87,
		hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024,
	}
	if got := p.Info().Assisted; !slices.Equal(got, want) {
		t.Errorf("assisted are %v", got)
	}
	if got := len(p.Info().Specs); got != len(algorithm.Specs()) {
		t.Errorf("%d specs", got)
	}
	before := f.sessionObjects() - p.objects.Len() - p.waiting()
	useAll(t, p)
	if now := f.sessionObjects() - p.objects.Len() - p.waiting(); now != before {
		t.Errorf("%d session objects are left behind", now-before)
	}
}

// TestAssistedNeedsClearKeys: a token that takes no keys in clear cannot keep
// what others make, and says so when it is opened.
func TestAssistedNeedsClearKeys(t *testing.T) {
	f := newFake(t, "one")
	f.arm(failing{function: "C_CreateObject", code: p11.CKR_TEMPLATE_INCONSISTENT, always: true})
	cfg := fakeConfig("one")
	must(t, openFake(t, f.process(), cfg).Close())
	cfg.SoftwareAssisted = []hsm.KeySpec{hsm.MLDSA44}
	_, err := open(t.Context(), cfg, f.process())
	wants(t, "ML_DSA_44 with it", err, hsm.ErrUnsupported)
	f.disarm()
	cfg.SoftwareAssisted = []hsm.KeySpec{"ML_DSA_45"}
	_, err = open(t.Context(), cfg, f.process())
	wants(t, "a spec that is none", err, hsm.ErrUnsupported)
}
