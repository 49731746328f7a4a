package kms_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// openssl runs the command line tool in a folder.
type openssl struct {
	testing.TB
	dir string
}

func newOpenSSL(t testing.TB) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	return openssl{t, t.TempDir()}
}

func (o openssl) run(args ...string) {
	o.Helper()
	command := exec.CommandContext(o.Context(), "openssl", args...)
	command.Dir = o.dir
	if out, err := command.CombinedOutput(); err != nil {
		o.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func (o openssl) write(name string, content []byte) {
	o.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), content, 0o600); err != nil {
		o.Fatal(err)
	}
}

func (o openssl) read(name string) []byte {
	o.Helper()
	content, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		o.Fatal(err)
	}
	return content
}

// private makes a private key, and leaves its PKCS#8 in material and its public
// key in public.
func (o openssl) private(args ...string) {
	o.Helper()
	o.run(append([]string{"genpkey", "-out", "key.pem"}, args...)...)
	o.run("pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "material")
	o.run("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public")
}

// wrap encrypts material to a wrapping key, as the KMS developer guide has it done
// with OpenSSL ("Encrypt the key material").
func (o openssl) wrap(algorithm hsm.WrappingAlgorithm, wrapping []byte) []byte {
	o.Helper()
	o.write("wrapping", wrapping)
	oaep := []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"}
	encrypt := func(in string, options ...string) {
		o.run(append([]string{"pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "wrapping", "-in", in, "-out", "encrypted"}, options...)...)
	}
	switch algorithm {
	case hsm.WrapSM2PKE:
		encrypt("material")
		return o.read("encrypted")
	case hsm.WrapOAEPSHA1, hsm.WrapAESSHA1:
		oaep = []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1"}
	}
	if algorithm == hsm.WrapOAEPSHA1 || algorithm == hsm.WrapOAEPSHA256 {
		encrypt("material", oaep...)
		return o.read("encrypted")
	}
	o.run("rand", "-out", "aes", "32")
	o.run("enc", "-id-aes256-wrap-pad", "-K", hex.EncodeToString(o.read("aes")), "-iv", "A65959A6", "-in", "material", "-out", "wrapped")
	encrypt("aes", oaep...)
	return append(o.read("encrypted"), o.read("wrapped")...)
}

// TestImportFromOpenSSL imports keys that openssl makes and wraps.
func TestImportFromOpenSSL(t *testing.T) {
	curve := func(name string) []string {
		return []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + name}
	}
	for _, test := range []struct {
		spec      hsm.KeySpec
		make      []string // nil: random bytes
		algorithm hsm.WrappingAlgorithm
		by        hsm.KeySpec
	}{
		{hsm.SymmetricDefault, nil, hsm.WrapOAEPSHA1, hsm.RSA2048},
		{hsm.SymmetricDefault, nil, hsm.WrapOAEPSHA256, hsm.RSA3072},
		{hsm.SymmetricDefault, nil, hsm.WrapSM2PKE, hsm.SM2},
		{hsm.RSA2048, []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, hsm.WrapAESSHA256, hsm.RSA2048},
		{hsm.ECCNistP256, curve("P-256"), hsm.WrapAESSHA1, hsm.RSA2048},
		{hsm.ECCNistP384, curve("P-384"), hsm.WrapSM2PKE, hsm.SM2},
		{hsm.ECCNistP521, curve("P-521"), hsm.WrapAESSHA256, hsm.RSA2048},
		{hsm.ECCSecgP256K1, curve("secp256k1"), hsm.WrapSM2PKE, hsm.SM2},
		{hsm.ECCNistEdwards25519, []string{"-algorithm", "ED25519"}, hsm.WrapOAEPSHA256, hsm.RSA2048},
		{hsm.SM2, []string{"-algorithm", "SM2"}, hsm.WrapSM2PKE, hsm.SM2},
	} {
		t.Run(string(test.spec)+" by "+string(test.algorithm), func(t *testing.T) {
			o, f := newOpenSSL(t), newFixture(t)
			if test.make == nil {
				o.run("rand", "-out", "material", "32")
			} else {
				o.private(test.make...)
			}
			id, _ := f.external(test.spec)
			got := f.do("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": test.algorithm, "WrappingKeySpec": test.by})
			request := never()
			request["KeyId"], request["ImportToken"] = id, got.bytes("ImportToken")
			request["EncryptedKeyMaterial"] = o.wrap(test.algorithm, got.bytes("PublicKey"))
			materialID := f.do("ImportKeyMaterial", request).text("KeyMaterialId")
			if test.make == nil {
				if again := f.bring(id, o.read("material"), never()); again != materialID {
					t.Errorf("the same material is called %s and %s", materialID, again)
				}
				return
			}
			if public := f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey"); !bytes.Equal(public, o.read("public")) {
				t.Errorf("public key\n%x\nwant\n%x", public, o.read("public"))
			}
		})
	}
}
