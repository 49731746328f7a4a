package hsm_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func sampleBlob(t *testing.T, keyID string) *hsm.Blob {
	t.Helper()
	key, err := hsm.ParseKeyID(keyID)
	if err != nil {
		t.Fatal(err)
	}
	account, err := hsm.ParseAccountID("000123456789")
	if err != nil {
		t.Fatal(err)
	}
	b := &hsm.Blob{Account: account, Key: key}
	b.Derivation = hsm.DerivationXAES
	copy(b.Material[:], bytes.Repeat([]byte{0xA5}, hsm.MaterialIDSize))
	copy(b.Nonce[:], bytes.Repeat([]byte{0x5A}, hsm.NonceSize))
	b.Body = bytes.Repeat([]byte{7}, 4096+hsm.TagSize)
	return b
}

const (
	singleRegionID = "1234abcd-12ab-34cd-56ef-1234567890ab"
	multiRegionID  = "mrk-1234abcd12ab34cd56ef1234567890ab"
)

func TestBlobRoundTrip(t *testing.T) {
	for _, id := range []string{singleRegionID, multiRegionID} {
		b := sampleBlob(t, id)
		raw := b.Marshal()
		if len(raw) > hsm.MaxBlobSize {
			t.Errorf("a blob of 4096 bytes of plaintext has %d bytes", len(raw))
		}
		if !bytes.HasPrefix(raw, b.Header()) || len(b.Header()) != hsm.BlobHeaderSize {
			t.Error("the header is not the beginning of the blob")
		}
		got, err := hsm.ParseBlob(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got.Key.String() != id || got.Account.String() != "000123456789" {
			t.Errorf("got key %s of account %s", got.Key, got.Account)
		}
		if got.Material != b.Material || got.Nonce != b.Nonce || !bytes.Equal(got.Body, b.Body) {
			t.Error("the blob changed on its way")
		}
	}
}

func TestParseBlobRefuses(t *testing.T) {
	good := sampleBlob(t, singleRegionID)
	good.Body = good.Body[:hsm.TagSize]
	raw := good.Marshal()
	change := func(at int, value byte) []byte {
		c := bytes.Clone(raw)
		c[at] = value
		return c
	}
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"one byte short":     raw[:len(raw)-1],
		"too long":           append(bytes.Clone(raw), make([]byte, hsm.MaxBlobSize)...),
		"another version":    change(0, 2),
		"an unknown flag":    change(1, 4),
		"a large account":    change(2, 1),
		"unknown derivation": change(58, 0),
	} {
		if _, err := hsm.ParseBlob(data); !errors.Is(err, hsm.ErrInvalidCiphertext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := hsm.ParseBlob(raw); err != nil {
		t.Error(err)
	}
}

func TestParseIDs(t *testing.T) {
	for _, id := range []string{
		"", "mrk-", strings.ToUpper(singleRegionID), "mrk-" + singleRegionID, singleRegionID + "0",
		strings.ReplaceAll(singleRegionID, "-", ""), strings.Replace(singleRegionID, "a", "g", 1),
		"MRK-1234abcd12ab34cd56ef1234567890ab",
	} {
		if _, err := hsm.ParseKeyID(id); err == nil {
			t.Errorf("key id %q is accepted", id)
		}
	}
	for _, id := range []string{"", "12345678901", "1234567890123", "+12345678901", "-12345678901", "12345678901a"} {
		if _, err := hsm.ParseAccountID(id); err == nil {
			t.Errorf("account id %q is accepted", id)
		}
	}
}

func FuzzParseBlob(f *testing.F) {
	f.Add([]byte{1})
	f.Add(make([]byte, 99))
	f.Add(append([]byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 9}, append(make([]byte, 48), append([]byte{1}, make([]byte, 60)...)...)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := hsm.ParseBlob(data)
		if err != nil {
			if !errors.Is(err, hsm.ErrInvalidCiphertext) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if !bytes.Equal(b.Marshal(), data) {
			t.Fatal("a second encoding parses")
		}
		if key, err := hsm.ParseKeyID(b.Key.String()); err != nil || key != b.Key {
			t.Fatalf("key id %s: %v", b.Key, err)
		}
		if account, err := hsm.ParseAccountID(b.Account.String()); err != nil || account != b.Account {
			t.Fatalf("account %s: %v", b.Account, err)
		}
	})
}

// TestEnvelope: a blob of a custom key store has the store's envelope in the place of
// what the partition sealed, and its header says so.
func TestEnvelope(t *testing.T) {
	b := sampleBlob(t, singleRegionID)
	plain := b.Header()
	b.Envelope = bytes.Repeat([]byte{9}, 4200)
	raw := b.Marshal()
	if bytes.Equal(plain, b.Header()) || !bytes.HasPrefix(raw, b.Header()) {
		t.Error("the header does not say that there is an envelope")
	}
	got, err := hsm.ParseBlob(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Envelope, b.Envelope) || got.Body != nil || got.Material != b.Material || got.Derivation != b.Derivation {
		t.Error("the blob changed on its way")
	}
	if !bytes.Equal(got.Marshal(), raw) {
		t.Error("a blob with an envelope has two encodings")
	}
}
