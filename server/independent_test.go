package server_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/soft"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/state"
)

// TestCiphertextsOpenWithoutCofre opens what clients get with nothing but AES,
// the published formats and the domain key: no code of ours that seals, opens,
// wraps or derives. What it opens, other software can.
func TestCiphertextsOpenWithoutCofre(t *testing.T) {
	partition, domain := softPartition(t)
	f := newFixture(t, func(c *server.Config) {
		service := kms.New(kms.Config{HSM: partition, Generation: func() hsm.Generation { return 1 }, Regions: c.Regions})
		c.Services = []server.Service{{Name: "kms", Protocol: server.JSON("TrentService"), Operations: service.Operations()}}
	})
	ask := func(operation string, request map[string]any) (answer struct {
		KeyMetadata               struct{ KeyID string }
		CiphertextBlob, Plaintext []byte
	}) {
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		a := f.do(t, operation, string(body))
		if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s", operation, a.status, a.body)
		}
		return answer
	}
	id := ask("CreateKey", map[string]any{}).KeyMetadata.KeyID
	key := unwrapped(t, domain, wrappedMaterial(t, f, id))
	context := map[string]string{"é": "", "a": "1", "": "ü"}
	aad := "\x00\x00\x00\x03" + "\x00\x00\x00\x00" + "\x00\x00\x00\x02ü" + "\x00\x00\x00\x01a" + "\x00\x00\x00\x011" + "\x00\x00\x00\x02é" + "\x00\x00\x00\x00"
	plaintext := []byte(strings.Repeat("plaintext", 400))
	sealed := ask("Encrypt", map[string]any{"KeyId": id, "Plaintext": base64.StdEncoding.EncodeToString(plaintext), "EncryptionContext": context})
	if got := openXAES(t, key, sealed.CiphertextBlob, aad); !bytes.Equal(got, plaintext) {
		t.Errorf("Encrypt: opened %q", got)
	}
	data := ask("GenerateDataKey", map[string]any{"KeyId": id, "KeySpec": "AES_256"})
	if got := openXAES(t, key, data.CiphertextBlob, "\x00\x00\x00\x00"); !bytes.Equal(got, data.Plaintext) {
		t.Error("GenerateDataKey: the ciphertext is not the data key's")
	}
	moved := ask("ReEncrypt", map[string]any{"CiphertextBlob": sealed.CiphertextBlob, "SourceEncryptionContext": context, "DestinationKeyId": id})
	if got := openXAES(t, key, moved.CiphertextBlob, "\x00\x00\x00\x00"); !bytes.Equal(got, plaintext) {
		t.Errorf("ReEncrypt: opened %q", got)
	}
}

// softPartition makes a partition and answers its domain key in clear, exported
// to a transport key of the test's own.
func softPartition(t *testing.T) (*soft.Partition, cipher.Block) {
	t.Helper()
	partition, err := soft.Open(t.Context(), soft.Config{
		Path: filepath.Join(t.TempDir(), "partition"), PIN: "pin", Cost: soft.Cost{Passes: 1, MemoryKiB: 8, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := partition.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := partition.CreateDomain(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	transport, err := rsa.GenerateKey(rand.Reader, hsm.TransportBits)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&transport.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := partition.ExportDomain(t.Context(), 1, public)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rsa.DecryptOAEP(sha1.New(), nil, transport, exported, nil)
	if err != nil || len(raw) != 32 {
		t.Fatalf("a domain key of %d bytes, %v", len(raw), err)
	}
	return partition, block(t, raw)
}

func block(t *testing.T, key []byte) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wrappedMaterial answers the material of the only key there is, as it is stored.
func wrappedMaterial(t *testing.T, f *fixture, id string) (wrapped []byte) {
	t.Helper()
	err := state.KeyMaterials.Scan(f.node.View(), []string{f.root.AccountID, "us-east-1", id}, nil,
		func(_ []string, m *state.KeyMaterial) (bool, error) {
			wrapped = m.Wrapped.Wrapped
			return true, nil
		})
	if err != nil || wrapped == nil {
		t.Fatalf("material %x, %v", wrapped, err)
	}
	return wrapped
}

// unwrapped is the unwrapping of RFC 5649 §4.2 for a key of 32 bytes: that of
// RFC 3394 §2.2.2 with another initial value.
func unwrapped(t *testing.T, kek cipher.Block, wrapped []byte) cipher.Block {
	t.Helper()
	const n = 4
	if len(wrapped) != 8*(n+1) {
		t.Fatalf("%d wrapped bytes", len(wrapped))
	}
	a, r := binary.BigEndian.Uint64(wrapped), bytes.Clone(wrapped[8:])
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			b := binary.BigEndian.AppendUint64(nil, a^uint64(n*j+i))
			b = append(b, r[8*(i-1):8*i]...)
			kek.Decrypt(b, b)
			a = binary.BigEndian.Uint64(b)
			copy(r[8*(i-1):], b[8:])
		}
	}
	if a != 0xA65959A6_00000020 { // RFC 5649 §3: the constant, and the length in bytes
		t.Fatalf("the initial value is %016x", a)
	}
	return block(t, r)
}

// openXAES opens a blob (hsm.Blob draws it) by XAES-256-GCM, c2sp.org/XAES-256-GCM.
func openXAES(t *testing.T, key cipher.Block, blob []byte, context string) []byte {
	t.Helper()
	const header, nonceSize = 59, 24
	nonce, body := blob[header:header+nonceSize], blob[header+nonceSize:]
	k1 := make([]byte, 16)
	key.Encrypt(k1, k1)
	msb := k1[0] >> 7
	for i := range 15 {
		k1[i] = k1[i]<<1 | k1[i+1]>>7
	}
	k1[15] = k1[15]<<1 ^ msb*0b10000111
	var derived []byte
	for counter := byte(1); counter <= 2; counter++ {
		m := append([]byte{0, counter, 'X', 0}, nonce[:12]...)
		for i := range m {
			m[i] ^= k1[i]
		}
		key.Encrypt(m, m)
		derived = append(derived, m...)
	}
	aead, err := cipher.NewGCM(block(t, derived))
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := aead.Open(nil, nonce[12:], body, append(bytes.Clone(blob[:header]), context...))
	if err != nil {
		t.Fatalf("%x: %v", blob[:header], err)
	}
	return plaintext
}
