package soft

import (
	"bytes"
	"crypto/aes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/wipe"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

var cheap = Cost{Passes: 1, MemoryKiB: 8, Threads: 1}

func openAt(t *testing.T, path string) *Partition {
	t.Helper()
	p, err := Open(t.Context(), Config{Path: path, PIN: "correct", Cost: cheap, CacheKeys: 32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // the test may have closed it
	return p
}

func openNew(t *testing.T) *Partition {
	return openAt(t, filepath.Join(t.TempDir(), "partition"))
}

func withDomain(t *testing.T, p *Partition) *Partition {
	t.Helper()
	if err := p.CreateDomain(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return p
}

func secretKey(t *testing.T, p *Partition) hsm.WrappedKey {
	t.Helper()
	key, err := p.GenerateKey(t.Context(), 1, hsm.SymmetricDefault)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	hsmtest.Conformance(t, func(t *testing.T, name string) hsm.Partition {
		return openAt(t, filepath.Join(dir, name))
	})
}

func TestTwoSoftPartitionsShareADomain(t *testing.T) {
	hsmtest.Cross(t, openNew(t), openNew(t))
}

func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "partition")
	p := openAt(t, path)
	if _, err := Open(t.Context(), Config{Path: path, PIN: "correct"}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Path: path, PIN: "wrong"})
	if !errors.Is(err, ErrWrongPIN) || !errors.Is(err, hsm.ErrPIN) || strings.Contains(err.Error(), "correct") {
		t.Errorf("a wrong PIN: %v", err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); err == nil {
		t.Error("no PIN opens the partition")
	}
	if _, err := Open(t.Context(), Config{Path: filepath.Join(path, "x"), PIN: "x"}); err == nil {
		t.Error("a path below a file opens")
	}
	openAt(t, path) // and the right PIN still opens it
}

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "partition")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{
		"empty": {}, "short": good[:40], "one byte short": good[:len(good)-1],
		"long": append(bytes.Clone(good), 0), "huge": make([]byte, maxFile+1),
	}
	for _, at := range []int{0, 8, 9, 13, 16, 17, 18, 34, 46, len(good) - 1} {
		b := bytes.Clone(good)
		b[at] ^= 0x80
		damage["byte "+string(rune('0'+at))] = b
	}
	for name, raw := range damage {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Open(t.Context(), Config{Path: path, PIN: "correct"}); err == nil {
			t.Errorf("%s: a damaged file opens", name)
			_ = p.Close()
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, raw) {
			t.Fatalf("%s: opening changed the file: %v", name, err)
		}
	}
}

func TestFileIsPrivateAndSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "partition")
	p := withDomain(t, openAt(t, path))
	if _, err := p.TransportKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range p.vault.objects {
		if bytes.Contains(raw, o.value) {
			t.Errorf("object %d is in the file in clear", o.kind)
		}
	}
}

// TestFailedWrite: a change that is not durable is not in the partition either,
// and does not stand in the way of the next.
func TestFailedWrite(t *testing.T) {
	p := withDomain(t, openNew(t))
	key := secretKey(t, p)
	if err := os.Mkdir(p.path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.CreateDomain(t.Context(), 2); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("a failed write: %v", err)
	}
	if g, err := p.Generations(t.Context()); err != nil || len(g) != 1 {
		t.Errorf("the domain keys are %v, %v", g, err)
	}
	if _, err := p.Encrypt(t.Context(), key, nil, nil); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(p.path + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := p.CreateDomain(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

// TestLeftOvers: what a crash between two steps of writing leaves does no harm.
func TestLeftOvers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "partition")
	if err := os.WriteFile(path+".new", []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	withDomain(t, openAt(t, path))
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the left-over is still there: %v", err)
	}
}

func TestEpochEnd(t *testing.T) {
	p := withDomain(t, openNew(t))
	key := secretKey(t, p)
	first, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.open(t.Context(), &key)
	if err != nil {
		t.Fatal(err)
	}
	m.Value.epoch.End()
	m.Release()
	second, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if xaes.Prefix(first.Nonce) == xaes.Prefix(second.Nonce) {
		t.Error("the epoch went on after its end")
	}
	for _, s := range []hsm.Sealed{first, second} {
		if text, err := p.Decrypt(t.Context(), key, s, nil); err != nil || string(text) != "text" {
			t.Errorf("decrypted %q, %v", text, err)
		}
	}
}

// TestWipe notices when the standard library's key schedules become something
// that cannot be overwritten.
func TestWipe(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	zero, before, after := make([]byte, 16), make([]byte, 16), make([]byte, 16)
	block.Encrypt(before, zero)
	wipe.Value(block)
	block.Encrypt(after, zero)
	if bytes.Equal(before, after) {
		t.Error("a wiped cipher still has its key")
	}
	a, err := newGCM(key)
	if err != nil {
		t.Fatal(err)
	}
	wipe.Value(a)
	defer func() {
		if recover() == nil {
			t.Error("a wiped AEAD still has its nonce size, hence its key")
		}
	}()
	a.Seal(nil, zero[:12], []byte("text"), nil)
}

func TestLogSaysThatItIsNoHSM(t *testing.T) {
	var out bytes.Buffer
	p, err := Open(t.Context(), Config{
		Path: filepath.Join(t.TempDir(), "partition"), PIN: "secret-pin", Cost: cheap,
		Logger: hclog.New(&hclog.LoggerOptions{Output: &out}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !strings.Contains(out.String(), "[WARN]") || !strings.Contains(out.String(), "no HSM") {
		t.Errorf("the log says %q", out.String())
	}
	if strings.Contains(out.String(), "secret-pin") || p.Info().Hardware {
		t.Error("the PIN is in the log, or the partition claims to be hardware")
	}
}

func TestHotPathAllocations(t *testing.T) {
	p := withDomain(t, openNew(t))
	key := secretKey(t, p)
	ctx, text, aad := t.Context(), make([]byte, 32), make([]byte, 100)
	sealed, err := p.Encrypt(ctx, key, text, aad)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = p.Encrypt(ctx, key, text, aad) }); n > 1 {
		t.Errorf("Encrypt allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = p.Decrypt(ctx, key, sealed, aad) }); n > 1 {
		t.Errorf("Decrypt allocates %v times", n)
	}
}

func BenchmarkEncrypt(b *testing.B) {
	p, key := benchmarkKey(b)
	text := make([]byte, 32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Encrypt(b.Context(), key, text, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	p, key := benchmarkKey(b)
	sealed, err := p.Encrypt(b.Context(), key, make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Decrypt(b.Context(), key, sealed, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkKey(b *testing.B) (*Partition, hsm.WrappedKey) {
	b.Helper()
	b.ReportAllocs()
	p, err := Open(b.Context(), Config{Path: filepath.Join(b.TempDir(), "partition"), PIN: "1", Cost: cheap})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	if err := p.CreateDomain(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	key, err := p.GenerateKey(b.Context(), 1, hsm.SymmetricDefault)
	if err != nil {
		b.Fatal(err)
	}
	return p, key
}

func FuzzDecode(f *testing.F) {
	s, err := newSeal("pin", cheap)
	if err != nil {
		f.Fatal(err)
	}
	for _, vault := range [][]byte{{}, {1, 0, 0, 0, 0, 0, 1, 9}, {4, 0, 0, 0, 1, 0, 9}, {9, 0, 0, 0, 0, 0, 0}} {
		raw, err := s.encode(vault)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, vault)
	}
	f.Fuzz(func(t *testing.T, file, plaintext []byte) {
		if len(file) >= sealNonceAt { // bound what a guess may cost
			copy(file[9:], s.header[9:18])
		}
		if s, v, err := decode(file, "pin"); err == nil {
			v.free()
			s.free()
		}
		b, release := protectedMemory(len(plaintext))
		copy(b, plaintext)
		if v, err := parseVault(b, release); err == nil {
			again, err := newVault(v.objects)
			if err != nil || !bytes.Equal(again.bytes, plaintext) {
				t.Fatalf("%x parses as %+v: %v", plaintext, v.objects, err)
			}
			again.free()
			v.free()
		}
	})
}
