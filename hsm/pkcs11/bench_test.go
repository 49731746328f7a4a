//go:build cgo && unix

package pkcs11_test

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
)

func benchmarkToken(b *testing.B) *pkcs11.Partition {
	b.Helper()
	b.ReportAllocs()
	uri, pin := hsmtest.NewToken(b, "bench")
	p, err := pkcs11.Open(b.Context(), pkcs11.Config{URI: uri, PIN: pin})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	if err := p.CreateDomain(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	return p
}

func benchmark(b *testing.B, call func() error) {
	b.Helper()
	b.ResetTimer()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func newKey(b *testing.B, p *pkcs11.Partition, spec hsm.KeySpec) hsm.WrappedKey {
	b.Helper()
	key, err := p.GenerateKey(b.Context(), 1, spec)
	if err != nil {
		b.Fatal(err)
	}
	return key
}

func BenchmarkEncrypt(b *testing.B) {
	p := benchmarkToken(b)
	key, text := newKey(b, p, hsm.SymmetricDefault), make([]byte, 32)
	benchmark(b, func() error { _, err := p.Encrypt(b.Context(), key, text, nil); return err })
}

func BenchmarkDecrypt(b *testing.B) {
	p := benchmarkToken(b)
	key := newKey(b, p, hsm.SymmetricDefault)
	sealed, err := p.Encrypt(b.Context(), key, make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, func() error { _, err := p.Decrypt(b.Context(), key, sealed, nil); return err })
}

func BenchmarkSign(b *testing.B) {
	p := benchmarkToken(b)
	key, digest := newKey(b, p, hsm.ECCNistP256), make([]byte, 32)
	benchmark(b, func() error { _, err := p.Sign(b.Context(), key, hsm.ECDSASHA256, digest); return err })
}

// BenchmarkPrivate uses a key of each kind whose handle is cached.
func BenchmarkPrivate(b *testing.B) {
	p, ctx := benchmarkToken(b), b.Context()
	b.Run("sign RSA_2048", func(b *testing.B) {
		key, digest := newKey(b, p, hsm.RSA2048), make([]byte, 32)
		benchmark(b, func() error { _, err := p.Sign(ctx, key, hsm.RSAPSSSHA256, digest); return err })
	})
	b.Run("open RSA_2048", func(b *testing.B) {
		key := newKey(b, p, hsm.RSA2048)
		ciphertext, err := algorithm.Encrypt(key.Public, hsm.RSA2048, hsm.RSAOAEPSHA256, make([]byte, 32))
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, func() error { _, err := p.Open(ctx, key, hsm.RSAOAEPSHA256, ciphertext); return err })
	})
	b.Run("agree P-256", func(b *testing.B) {
		key, peer := newKey(b, p, hsm.ECCNistP256), newKey(b, p, hsm.ECCNistP256)
		benchmark(b, func() error { _, err := p.Agree(ctx, key, peer.Public); return err })
	})
	b.Run("HMAC_256", func(b *testing.B) {
		key, message := newKey(b, p, hsm.HMAC256), make([]byte, 64)
		benchmark(b, func() error { _, err := p.MAC(ctx, key, hsm.HMACSHA256, message); return err })
	})
}

func BenchmarkGenerateKey(b *testing.B) {
	p := benchmarkToken(b)
	benchmark(b, func() error { _, err := p.GenerateKey(b.Context(), 1, hsm.SymmetricDefault); return err })
}

// BenchmarkFirstUse is Encrypt with a key that is not cached.
func BenchmarkFirstUse(b *testing.B) {
	p := benchmarkToken(b)
	benchmark(b, func() error {
		key, err := p.GenerateKey(b.Context(), 1, hsm.SymmetricDefault)
		if err != nil {
			return err
		}
		_, err = p.Encrypt(b.Context(), key, nil, nil)
		return err
	})
}
