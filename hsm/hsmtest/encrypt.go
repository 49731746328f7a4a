package hsmtest

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

func testEncrypt(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	key := newKey(t, p, hsm.SymmetricDefault)
	nonces := make(map[[hsm.NonceSize]byte]bool)
	for _, n := range []int{0, 1, 15, 16, 17, 4096, 70_000} {
		for _, aad := range [][]byte{nil, []byte("aad"), make([]byte, 8192)} {
			text := bytes.Repeat([]byte{7}, n)
			sealed, err := p.Encrypt(ctx, key, text, aad)
			must(t, err)
			if sealed.Derivation != p.Info().Derivation || len(sealed.Body) != n+hsm.TagSize {
				t.Fatalf("%d bytes become %d by %d", n, len(sealed.Body), sealed.Derivation)
			}
			got, err := p.Decrypt(ctx, key, sealed, aad)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%d bytes come back as %d, %v", n, len(got), err)
			}
			nonces[sealed.Nonce] = true
		}
	}
	if len(nonces) != 21 {
		t.Errorf("21 messages have %d nonces", len(nonces))
	}
}

func testTampered(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	key, other := newKey(t, p, hsm.SymmetricDefault), newKey(t, p, hsm.SymmetricDefault)
	aad := []byte("aad")
	good, err := p.Encrypt(ctx, key, []byte("text"), aad)
	must(t, err)
	refused := func(what string, key hsm.WrappedKey, s hsm.Sealed, aad []byte) {
		t.Helper()
		_, err := p.Decrypt(ctx, key, s, aad)
		wants(t, what, err, hsm.ErrInvalidCiphertext)
	}
	for i := range good.Nonce {
		s := good
		s.Nonce[i] ^= 1
		refused(fmt.Sprintf("byte %d of the nonce", i), key, s, aad)
	}
	for i := range good.Body {
		s := good
		s.Body = bytes.Clone(good.Body)
		s.Body[i] ^= 1
		refused(fmt.Sprintf("byte %d of the body", i), key, s, aad)
	}
	for n := range len(good.Body) {
		s := good
		s.Body = good.Body[:n]
		refused(fmt.Sprintf("the first %d bytes", n), key, s, aad)
	}
	s := good
	s.Body = append(bytes.Clone(good.Body), 0)
	refused("a byte more", key, s, aad)
	s = good
	s.Derivation = 99
	refused("another derivation", key, s, aad)
	refused("another key", other, good, aad)
	refused("another aad", key, good, []byte("aae"))
	refused("no aad", key, good, nil)
	if text, err := p.Decrypt(ctx, key, good, aad); err != nil || string(text) != "text" {
		t.Errorf("decrypted %q, %v", text, err)
	}
}

func testInvalidKeys(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	secret, private := newKey(t, p, hsm.SymmetricDefault), newKey(t, p, hsm.ECCNistP256)
	sealed, err := p.Encrypt(ctx, secret, []byte("text"), nil)
	must(t, err)
	digest := make([]byte, sha256.Size)
	use := func(key hsm.WrappedKey) error {
		if key.Spec == hsm.ECCNistP256 {
			_, err := p.Sign(ctx, key, hsm.ECDSASHA256, digest)
			return err
		}
		_, err := p.Decrypt(ctx, key, sealed, nil)
		return err
	}
	for _, key := range []hsm.WrappedKey{secret, private} {
		changed := key
		changed.Wrapped = bytes.Clone(key.Wrapped)
		changed.Wrapped[9] ^= 1
		wants(t, "a changed wrapping", use(changed), hsm.ErrInvalidKey)
		changed.Wrapped = key.Wrapped[:len(key.Wrapped)-8]
		wants(t, "a short wrapping", use(changed), hsm.ErrInvalidKey)
		changed.Wrapped = key.Wrapped[:len(key.Wrapped)-1]
		wants(t, "a wrapping of odd length", use(changed), hsm.ErrInvalidKey)
		changed.Wrapped = nil
		wants(t, "no wrapping", use(changed), hsm.ErrInvalidKey)
		changed = key
		changed.Generation = 99
		wants(t, "an absent generation", use(changed), hsm.ErrNoDomain)
		must(t, use(key))
	}
	swapped := secret
	swapped.Spec = hsm.ECCNistP256
	wants(t, "a secret key as a private key", use(swapped), hsm.ErrInvalidKey)
	swapped = private
	swapped.Spec = hsm.SymmetricDefault
	wants(t, "a private key as a secret key", use(swapped), hsm.ErrInvalidKey)
	_, err = p.GenerateKey(ctx, generation, "NO_SUCH_SPEC")
	wants(t, "an unknown spec", err, hsm.ErrUnsupported)

	transport, err := rsa.GenerateKey(rand.Reader, hsm.TransportBits)
	must(t, err)
	domain, err := aes.NewCipher(exportTo(t, p, transport))
	must(t, err)
	short, err := kwp.Wrap(domain, make([]byte, 16))
	must(t, err)
	wants(t, "an AES-128 key", use(hsm.WrappedKey{Generation: generation, Spec: hsm.SymmetricDefault, Wrapped: short}), hsm.ErrInvalidKey)
}

// testConcurrent uses more keys than a small cache holds, from many goroutines.
func testConcurrent(t *testing.T, p hsm.Partition) {
	ctx := t.Context()
	const goroutines, rounds, keys = 8, 60, 64
	secrets := make([]hsm.WrappedKey, keys)
	for i := range secrets {
		secrets[i] = newKey(t, p, hsm.SymmetricDefault)
	}
	private := newKey(t, p, hsm.ECCNistP256)
	var mu sync.Mutex
	nonces := make(map[string]bool)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				n := (i*7 + g) % keys
				text := fmt.Appendf(nil, "%d of %d", i, g)
				sealed, err := p.Encrypt(ctx, secrets[n], text, nil)
				if err != nil {
					t.Errorf("encrypt: %v", err)
					return
				}
				if got, err := p.Decrypt(ctx, secrets[n], sealed, nil); err != nil || !bytes.Equal(got, text) {
					t.Errorf("decrypted %q, %v", got, err)
				}
				if _, err := p.Sign(ctx, private, hsm.ECDSASHA256, make([]byte, sha256.Size)); err != nil {
					t.Errorf("sign: %v", err)
				}
				mu.Lock()
				nonces[fmt.Sprint(n, sealed.Nonce)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(nonces) != goroutines*rounds {
		t.Errorf("%d messages have %d nonces", goroutines*rounds, len(nonces))
	}
}
