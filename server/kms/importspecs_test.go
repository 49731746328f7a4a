package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/state"
)

// importable are all specs whose material can be imported.
var importable = []hsm.KeySpec{
	hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512, hsm.RSA2048, hsm.RSA3072, hsm.RSA4096,
	hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519, hsm.SM2,
}

// TestImportEverySpec imports material of every spec under every algorithm that
// can wrap it. The material is what the key then has: its public key is.
func TestImportEverySpec(t *testing.T) {
	for _, spec := range importable {
		t.Run(string(spec), func(t *testing.T) {
			raw, public, err := algorithm.Generate(spec)
			if err != nil {
				t.Fatal(err)
			}
			for _, by := range wrappings(spec) {
				f := newFixture(t)
				id, arn := f.external(spec)
				w := f.wrapping(id, by.algorithm, by.spec)
				got := f.do("ImportKeyMaterial", w.imports(t, id, raw, never()))
				if got["KeyId"] != arn || len(got.text("KeyMaterialId")) != 64 || f.described(id)["KeyState"] != "Enabled" {
					t.Errorf("%s: ImportKeyMaterial answers %v", by.algorithm, got)
				}
				if public != nil && !bytes.Equal(f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey"), public) {
					t.Errorf("%s: another public key", by.algorithm)
				}
				f.oneMaterialOnly(id, spec, w, raw)
			}
		})
	}
}

type wrappingSpec struct {
	algorithm hsm.WrappingAlgorithm
	spec      hsm.KeySpec
}

// wrappings are the ways in for material of a spec: all wrapping algorithms, for
// one spec of each kind.
func wrappings(spec hsm.KeySpec) []wrappingSpec {
	list := []wrappingSpec{{hsm.WrapAESSHA1, hsm.RSA2048}, {hsm.WrapAESSHA256, hsm.RSA2048}, {hsm.WrapSM2PKE, hsm.SM2}}
	switch {
	case strings.HasPrefix(string(spec), "RSA_"):
		return list[1:2] // longer than the others take, and slow to make
	case spec == hsm.HMAC224, spec == hsm.HMAC384, spec == hsm.HMAC512, spec == hsm.ECCNistP384:
		return list[2:]
	case spec == hsm.ECCNistP521:
		return append(list, wrappingSpec{hsm.WrapOAEPSHA256, hsm.RSA3072})
	}
	return append(list, wrappingSpec{hsm.WrapOAEPSHA1, hsm.RSA2048}, wrappingSpec{hsm.WrapOAEPSHA256, hsm.RSA2048})
}

// oneMaterialOnly: a key that is not for symmetric encryption never has another
// material, and none of the parameters that tell several apart.
func (f *fixture) oneMaterialOnly(id string, spec hsm.KeySpec, w *wrapping, raw []byte) {
	f.Helper()
	if spec == hsm.SymmetricDefault || spec == hsm.RSA3072 || spec == hsm.RSA4096 { // slow to make
		return
	}
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id})
	other, _, err := algorithm.Generate(spec)
	if err != nil {
		f.Fatal(err)
	}
	f.refuse("ImportKeyMaterial", w.imports(f, id, other, never()), "IncorrectKeyMaterialException")
	unsuited := m{"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialDescription": "x", "KeyMaterialId": strings.Repeat("a", 64)}
	for name, value := range unsuited {
		more := never()
		more[name] = value
		f.refuse("ImportKeyMaterial", w.imports(f, id, raw, more), "ValidationException: ImportType, KeyMaterialDescription and "+
			"KeyMaterialId are valid only for symmetric encryption KMS keys")
	}
	f.do("ImportKeyMaterial", w.imports(f, id, raw, never()))
	if k := f.described(id); k["KeyState"] != "Enabled" || k["CurrentKeyMaterialId"] != nil {
		f.Errorf("the key is %v", k)
	}
}

// TestImportOfAnotherSpec: material has to be of the key's own spec.
func TestImportOfAnotherSpec(t *testing.T) {
	f := newFixture(t)
	for spec, other := range map[hsm.KeySpec]hsm.KeySpec{
		hsm.SymmetricDefault: hsm.HMAC224, hsm.HMAC384: hsm.HMAC512, hsm.ECCNistP256: hsm.ECCSecgP256K1, hsm.ECCNistP384: hsm.ECCNistP256,
		hsm.ECCSecgP256K1: hsm.SM2, hsm.ECCNistEdwards25519: hsm.ECCNistP256, hsm.RSA3072: hsm.RSA2048, hsm.SM2: hsm.ECCNistP256,
	} {
		raw, _, err := algorithm.Generate(other)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := f.external(spec)
		w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
		if other == hsm.RSA2048 { // longer than SM2PKE takes
			w = f.wrapping(id, hsm.WrapAESSHA256, hsm.RSA2048)
		}
		f.refuse("ImportKeyMaterial", w.imports(t, id, raw, never()), "IncorrectKeyMaterialException")
	}
}

// TestImportVectorsHMAC uses imported keys with the first test case of RFC 4231:
// a key of 20 bytes, which HMAC fills up with zeros, as we do here.
func TestImportVectorsHMAC(t *testing.T) {
	for spec, want := range map[hsm.KeySpec]string{
		hsm.HMAC224: "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
		hsm.HMAC256: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		hsm.HMAC384: "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
		hsm.HMAC512: "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
	} {
		f := newFixture(t)
		id, _ := f.external(spec)
		key := make([]byte, algorithm.SecretSize(spec))
		copy(key, bytes.Repeat([]byte{0x0b}, 20))
		f.bring(id, key, never())
		got := f.do("GenerateMac", m{"KeyId": id, "Message": []byte("Hi There"), "MacAlgorithm": algorithm.MACAlgorithmOf(spec)})
		if mac := fmt.Sprintf("%x", got.bytes("Mac")); mac != want {
			t.Errorf("%s: %s", spec, mac)
		}
	}
}

// TestImportVectorEd25519 imports the key of RFC 8032 §7.1, TEST 2.
func TestImportVectorEd25519(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.ECCNistEdwards25519)
	seed := unhex(t, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	f.bring(id, der, never())
	public, err := x509.ParsePKIXPublicKey(f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"; fmt.Sprintf("%x", public) != want {
		t.Errorf("public key %x", public)
	}
	got := f.do("Sign", m{"KeyId": id, "Message": []byte{0x72}, "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"})
	if want := "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"; fmt.Sprintf("%x", got.bytes("Signature")) != want {
		t.Errorf("signature %x", got.bytes("Signature"))
	}
}

// TestImportVectorECDH imports the key of the first test of P-256 in NIST's CAVP
// vectors for ECC CDH (KAS_ECC_CDH_PrimitiveTest, COUNT = 0).
func TestImportVectorECDH(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{"Origin": "EXTERNAL", "KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"})
	private, err := ecdh.P256().NewPrivateKey(unhex(t, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"))
	if err != nil {
		t.Fatal(err)
	}
	material, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	f.bring(id, material, never())
	public, err := ecdh.P256().NewPublicKey(unhex(t, "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"+
		"db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	got := f.do("DeriveSharedSecret", m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer})
	if want := "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"; fmt.Sprintf("%x", got.bytes("SharedSecret")) != want {
		t.Errorf("shared secret %x", got.bytes("SharedSecret"))
	}
}

// TestImportedKeysWork signs and decrypts with imported keys, and somebody who has
// the material checks it.
func TestImportedKeysWork(t *testing.T) {
	f := newFixture(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	material, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := f.create(m{"Origin": "EXTERNAL", "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})
	w := f.wrapping(id, hsm.WrapAESSHA256, hsm.RSA2048)
	f.do("ImportKeyMaterial", w.imports(t, id, material, never()))
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &private.PublicKey, []byte("attack at dawn"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := f.do("Decrypt", m{"KeyId": id, "CiphertextBlob": sealed, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"})
	if string(got.bytes("Plaintext")) != "attack at dawn" {
		t.Errorf("Decrypt answers %v", got)
	}
	id, _ = f.create(m{"Origin": "EXTERNAL", "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"})
	w.token = f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2).token
	f.refuse("ImportKeyMaterial", w.imports(t, id, material, never()), "InvalidCiphertextException") // wrapped for another key
	w = f.wrapping(id, hsm.WrapAESSHA256, hsm.RSA2048)
	f.do("ImportKeyMaterial", w.imports(t, id, material, never()))
	signed := f.do("Sign", m{"KeyId": id, "Message": []byte("x"), "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"})
	digest := sha256.Sum256([]byte("x"))
	if err := rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, digest[:], signed.bytes("Signature")); err != nil {
		t.Errorf("the signature: %v", err)
	}
}

// TestImportedSecretsStayOut looks for imported material in the ledger and the
// state, and for what protects it in the ledger.
func TestImportedSecretsStayOut(t *testing.T) {
	f := newFixture(t)
	material := []byte("marked material of 32 bytes. yes")
	id, _ := f.external(hsm.SymmetricDefault)
	w := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA2048)
	other, _ := f.external(hsm.SymmetricDefault)
	request := w.imports(t, id, material, never())
	f.refuse("ImportKeyMaterial", w.imports(t, other, material, never()), "InvalidImportTokenException")
	f.refuse("ImportKeyMaterial", m{"KeyId": id, "ImportToken": material, "EncryptedKeyMaterial": material, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		"InvalidImportTokenException")
	f.do("ImportKeyMaterial", request)
	f.refuse("ImportKeyMaterial", w.imports(t, id, material[1:], never()), "IncorrectKeyMaterialException")
	ledger := strings.Join(f.node.RawEvents(t), "\n")
	if !strings.Contains(ledger, "KEY_MATERIAL_DOES_NOT_EXPIRE") {
		t.Fatal("the ledger is not what this test thinks")
	}
	for _, secret := range [][]byte{material, w.token, request["EncryptedKeyMaterial"].([]byte)} {
		encoded := base64.RawStdEncoding.EncodeToString(secret[:len(secret)/3*3])
		if strings.Contains(ledger, string(secret)) || strings.Contains(ledger, encoded) {
			t.Errorf("%q is in the ledger", secret)
		}
	}
	records := 0
	for _, table := range []string{state.Keys.Name, state.KeyMaterials.Name, state.Systems.Name} {
		err := f.node.View().Scan(fsm.NewKey(table), "", func(_ fsm.Key, rec *fsm.Record) (bool, error) {
			records++
			if bytes.Contains(rec.Value, material) {
				t.Errorf("the material is in the table %s", table)
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if records != 4 {
		t.Errorf("%d records", records)
	}
}
