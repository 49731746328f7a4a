package algorithm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// exchange is testdata/openssl.json: keys, and what OpenSSL did with them.
type exchange struct {
	Sign []struct {
		Spec               hsm.KeySpec
		Algorithm          hsm.SigningAlgorithm
		Private            []byte
		PublicSHA256       string
		Message, Signature []byte
	}
	Open []struct {
		Spec                           hsm.KeySpec
		Algorithm                      hsm.EncryptionAlgorithm
		Private, Ciphertext, Plaintext []byte
	}
	Wrap []struct {
		Spec                       hsm.KeySpec
		Algorithm                  hsm.WrappingAlgorithm
		Private, Wrapped, Material []byte
	}
	Agree []struct {
		Spec                  hsm.KeySpec
		Private, Peer, Secret []byte
	}
	Encapsulate []struct {
		Spec                        hsm.KeySpec
		Private, Ciphertext, Secret []byte
		PublicSHA256                string
	}
}

func readExchange(t *testing.T) (x exchange) {
	t.Helper()
	raw, err := os.ReadFile("testdata/openssl.json")
	must(t, err)
	must(t, json.Unmarshal(raw, &x))
	return x
}

// imported reads a private key of OpenSSL's and compares the public one.
func imported(t *testing.T, spec hsm.KeySpec, private []byte, publicSHA256 string) *Key {
	t.Helper()
	raw, public, _, err := Import(spec, private)
	must(t, err)
	if sum := sha256.Sum256(public); publicSHA256 != "" && hex.EncodeToString(sum[:]) != publicSHA256 {
		t.Errorf("%s: the public key is %x", spec, public)
	}
	k, err := Parse(spec, raw)
	must(t, err)
	return k
}

func TestOpenSSLSignatures(t *testing.T) {
	for _, v := range readExchange(t).Sign {
		k := imported(t, v.Spec, v.Private, v.PublicSHA256)
		public := publicOf(t, k)
		digest, err := Digest(public, v.Spec, v.Algorithm, v.Message)
		must(t, err)
		if err := Verify(public, v.Spec, v.Algorithm, digest, v.Signature); err != nil {
			t.Errorf("%s by %s: %v", v.Algorithm, v.Spec, err)
		}
		v.Signature[len(v.Signature)/2] ^= 1
		wants(t, string(v.Algorithm), Verify(public, v.Spec, v.Algorithm, digest, v.Signature), ErrInvalidSignature)
	}
}

func TestOpenSSLCiphertexts(t *testing.T) {
	for _, v := range readExchange(t).Open {
		got, err := imported(t, v.Spec, v.Private, "").Open(v.Algorithm, v.Ciphertext)
		if err != nil || !bytes.Equal(got, v.Plaintext) {
			t.Errorf("%s with %s: %q, %v", v.Algorithm, v.Spec, got, err)
		}
	}
}

func TestOpenSSLAgreement(t *testing.T) {
	for _, v := range readExchange(t).Agree {
		got, err := imported(t, v.Spec, v.Private, "").Agree(v.Peer)
		if err != nil || !bytes.Equal(got, v.Secret) {
			t.Errorf("%s: %x, %v", v.Spec, got, err)
		}
	}
}

func TestOpenSSLEncapsulation(t *testing.T) {
	for _, v := range readExchange(t).Encapsulate {
		got, err := imported(t, v.Spec, v.Private, v.PublicSHA256).Decapsulate(v.Ciphertext)
		if err != nil || !bytes.Equal(got, v.Secret) {
			t.Errorf("%s: %x, %v", v.Spec, got, err)
		}
	}
}

func TestUnwrap(t *testing.T) {
	for _, v := range readExchange(t).Wrap {
		k := imported(t, v.Spec, v.Private, "")
		got, err := k.Unwrap(v.Algorithm, v.Wrapped)
		if err != nil || !bytes.Equal(got, v.Material) {
			t.Errorf("%s: %x, %v", v.Algorithm, got, err)
		}
		for at := range v.Wrapped {
			bad := bytes.Clone(v.Wrapped)
			bad[at] ^= 1
			if _, err := k.Unwrap(v.Algorithm, bad); err == nil {
				t.Errorf("%s: byte %d does not matter", v.Algorithm, at)
			}
		}
		for _, n := range []int{0, 1, 8, 16, len(v.Wrapped) / 2, len(v.Wrapped) - 8, len(v.Wrapped) - 1} {
			_, err := k.Unwrap(v.Algorithm, v.Wrapped[:n])
			wants(t, "a cut wrapping", err, hsm.ErrInvalidCiphertext)
		}
		_, err = k.Unwrap("RSAES_PKCS1_V1_5", v.Wrapped)
		wants(t, "another algorithm", err, hsm.ErrUnsupported)
	}
	k := newKey(t, hsm.ECCNistP256)
	for _, alg := range []hsm.WrappingAlgorithm{hsm.WrapOAEPSHA256, hsm.WrapAESSHA256, hsm.WrapSM2PKE} {
		_, err := k.Unwrap(alg, make([]byte, 300))
		wants(t, "a key that unwraps nothing", err, hsm.ErrUnsupported)
	}
}
