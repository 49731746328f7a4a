package attestation_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
)

// TestSeal opens what is sealed, for lengths around the blocks of AES and the
// steps of ASN.1 lengths.
func TestSeal(t *testing.T) {
	document := attestation.Document{Recipient: &attestationtest.Enclave().PublicKey}
	for _, n := range []int{0, 1, 15, 16, 17, 32, 111, 112, 127, 128, 255, 256, 4096, 70000} {
		plaintext := attestationtest.Fill(n, 7)
		first, err := document.Seal(plaintext)
		if err != nil {
			t.Fatal(err)
		}
		if got := open(t, first); !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes are read as %d", n, len(got))
		}
		second, err := document.Seal(plaintext)
		if err != nil || bytes.Equal(first, second) {
			t.Errorf("%d bytes: two envelopes are the same, %v", n, err)
		}
		if n >= 32 && bytes.Contains(first, plaintext) {
			t.Errorf("%d bytes are in the envelope", n)
		}
	}
}

// TestSealForOpenSSL has openssl open an envelope.
func TestSealForOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	document := attestation.Document{Recipient: &attestationtest.Enclave().PublicKey}
	sealed, err := document.Seal([]byte("attack at dawn"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(attestationtest.Enclave())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, envelope := filepath.Join(dir, "key.pem"), filepath.Join(dir, "envelope")
	for name, content := range map[string][]byte{
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), envelope: sealed,
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "openssl", "cms", "-decrypt", "-inform", "DER", "-binary", "-in", envelope, "-inkey", key)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil || string(out) != "attack at dawn" {
		t.Errorf("openssl reads %q, %v\n%s", out, err, &problems)
	}
}

// open reads an envelope in the order, and with the demands, of AWS's library for
// enclaves (aws_cms_parse_enveloped_data in aws-nitro-enclaves-sdk-c): headers of
// indefinite length where it skips headers, whole elements where it takes them.
func open(t *testing.T, b []byte) []byte {
	t.Helper()
	r := &reader{t: t, b: b}
	r.header(0x30)
	r.oid(1, 2, 840, 113549, 1, 7, 3)
	r.header(0xa0)
	r.header(0x30)
	r.expect(0x02, []byte{2})
	recipients := &reader{t: t, b: r.take(0x31)}
	info := &reader{t: t, b: recipients.take(0x30)}
	info.expect(0x02, []byte{2})
	name := info.take(0x80)
	algorithm := &reader{t: t, b: info.take(0x30)}
	algorithm.oid(1, 2, 840, 113549, 1, 1, 7)
	wrapped := info.take(0x04)
	r.header(0x30)
	r.oid(1, 2, 840, 113549, 1, 7, 1)
	content := &reader{t: t, b: r.take(0x30)}
	content.oid(2, 16, 840, 1, 101, 3, 4, 1, 42)
	iv := content.take(0x04)
	r.header(0xa0)
	ciphertext := r.take(0x04)
	if !bytes.Equal(r.b, make([]byte, 10)) || len(recipients.b)+len(info.b)+len(content.b) != 0 || len(name) != 20 {
		t.Fatalf("the envelope ends with %x", r.b)
	}
	key, err := rsa.DecryptOAEP(sha256.New(), nil, attestationtest.Enclave(), wrapped, nil)
	if err != nil || len(key) != 32 {
		t.Fatalf("a key of %d bytes, %v", len(key), err)
	}
	return decryptCBC(t, key, iv, ciphertext)
}

func decryptCBC(t *testing.T, key, iv, ciphertext []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		t.Fatalf("a ciphertext of %d bytes, %v", len(ciphertext), err)
	}
	plaintext := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plaintext, ciphertext)
	padding := int(plaintext[len(plaintext)-1])
	if padding < 1 || padding > aes.BlockSize || !bytes.Equal(plaintext[len(plaintext)-padding:], attestationtest.Fill(padding, byte(padding))) {
		t.Fatalf("padding of %d", padding)
	}
	return plaintext[:len(plaintext)-padding]
}

// reader reads BER.
type reader struct {
	t *testing.T
	b []byte
}

// header reads the beginning of an element of indefinite length.
func (r *reader) header(tag byte) {
	r.t.Helper()
	if len(r.b) < 2 || r.b[0] != tag || r.b[1] != 0x80 {
		r.t.Fatalf("no element %x of indefinite length: %.20x", tag, r.b)
	}
	r.b = r.b[2:]
}

// take reads a whole element, in DER.
func (r *reader) take(tag byte) []byte {
	r.t.Helper()
	var e asn1.RawValue
	rest, err := asn1.Unmarshal(r.b, &e)
	if err != nil || r.b[0] != tag {
		r.t.Fatalf("no element %x: %.20x, %v", tag, r.b, err)
	}
	r.b = rest
	return e.Bytes
}

func (r *reader) expect(tag byte, content []byte) {
	r.t.Helper()
	if got := r.take(tag); !bytes.Equal(got, content) {
		r.t.Fatalf("element %x is %x", tag, got)
	}
}

func (r *reader) oid(id ...int) {
	r.t.Helper()
	var got asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(r.b, &got)
	if err != nil || !got.Equal(id) {
		r.t.Fatalf("object identifier %v, %v", got, err)
	}
	r.b = rest
}
