package kms_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"hash"
	chacha "math/rand/v2"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

// TestEncryptRSA holds RSA ciphertexts against crypto/rsa, both ways, up to the
// largest plaintext.
func TestEncryptRSA(t *testing.T) {
	for spec, most := range map[hsm.KeySpec][2]int{hsm.RSA2048: {214, 190}, hsm.RSA3072: {342, 318}, hsm.RSA4096: {470, 446}} {
		t.Run(string(spec), func(t *testing.T) {
			f := newFixture(t)
			id, raw, _ := f.known(spec, "ENCRYPT_DECRYPT")
			parsed, err := x509.ParsePKCS8PrivateKey(raw)
			if err != nil {
				t.Fatal(err)
			}
			private := parsed.(*rsa.PrivateKey)
			for i, h := range []func() hash.Hash{sha1.New, sha256.New} {
				alg := []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}[i]
				plain := bytes.Repeat([]byte{7}, most[i])
				f.checkAsymmetric(id, alg, plain, func(ciphertext []byte) ([]byte, error) {
					return rsa.DecryptOAEP(h(), nil, private, ciphertext, nil)
				}, func() ([]byte, error) {
					return rsa.EncryptOAEP(h(), rand.Reader, &private.PublicKey, plain, nil)
				})
				f.refuse("Encrypt", m{"KeyId": id, "EncryptionAlgorithm": alg, "Plaintext": append(plain, 0)}, fmt.Sprintf(
					"ValidationException: Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", alg, spec, most[i]))
			}
		})
	}
}

func TestEncryptSM2(t *testing.T) {
	f := newFixture(t)
	id, raw, _ := f.known(hsm.SM2, "ENCRYPT_DECRYPT")
	private, err := sm2.NewPrivateKey(scalarOf(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte{7}, 1024)
	f.checkAsymmetric(id, "SM2PKE", plain,
		func(ciphertext []byte) ([]byte, error) { return sm2.Decrypt(private, ciphertext) },
		func() ([]byte, error) { return sm2.EncryptASN1(rand.Reader, &private.PublicKey, plain) })
	f.refuse("Encrypt", m{"KeyId": id, "EncryptionAlgorithm": "SM2PKE", "Plaintext": append(plain, 0)},
		"ValidationException: Algorithm SM2PKE and key spec SM2 cannot encrypt data larger than 1024 bytes.")
}

// checkAsymmetric encrypts here and decrypts outside, encrypts outside and
// decrypts here, and damages what it decrypts.
func (f *fixture) checkAsymmetric(id, alg string, plain []byte, open func([]byte) ([]byte, error), seal func() ([]byte, error)) {
	f.Helper()
	arn := keyARN(id)
	got := f.do("Encrypt", m{"KeyId": id, "EncryptionAlgorithm": alg, "Plaintext": plain})
	opened, err := open(got.bytes("CiphertextBlob"))
	if err != nil || !bytes.Equal(opened, plain) || got["KeyId"] != arn || got["EncryptionAlgorithm"] != alg {
		f.Errorf("Encrypt answers %v, which is %x, %v outside", got, opened, err)
	}
	f.usedBy("Encrypt", id)
	ciphertext, err := seal()
	if err != nil {
		f.Fatal(err)
	}
	request := m{"KeyId": id, "EncryptionAlgorithm": alg, "CiphertextBlob": ciphertext}
	got = f.do("Decrypt", request)
	want := answer{"KeyId": arn, "EncryptionAlgorithm": alg, "Plaintext": got["Plaintext"]}
	if !bytes.Equal(got.bytes("Plaintext"), plain) || fmt.Sprint(got) != fmt.Sprint(want) {
		f.Errorf("Decrypt answers %v", got)
	}
	f.usedBy("Decrypt", id)
	damaged := bytes.Clone(ciphertext)
	damaged[len(damaged)-1] ^= 1
	for _, bad := range [][]byte{damaged, ciphertext[1:], []byte("garbage")} {
		request["CiphertextBlob"] = bad
		f.refuse("Decrypt", request, "InvalidCiphertextException")
	}
	f.checkReEncrypt(id, alg, ciphertext, plain)
}

// checkReEncrypt moves a ciphertext to a symmetric key and back.
func (f *fixture) checkReEncrypt(id, alg string, ciphertext, plain []byte) {
	f.Helper()
	other, _ := f.create(m{})
	to := f.do("ReEncrypt", m{"CiphertextBlob": ciphertext, "SourceKeyId": id, "SourceEncryptionAlgorithm": alg, "DestinationKeyId": other})
	if to["SourceKeyMaterialId"] != nil || len(to.text("DestinationKeyMaterialId")) != 64 || to["SourceEncryptionAlgorithm"] != alg {
		f.Errorf("ReEncrypt answers %v", to)
	}
	f.usedBy("ReEncrypt", id, other)
	back := f.do("ReEncrypt", m{"CiphertextBlob": to["CiphertextBlob"], "DestinationKeyId": id, "DestinationEncryptionAlgorithm": alg})
	if back["DestinationKeyMaterialId"] != nil || len(back.text("SourceKeyMaterialId")) != 64 {
		f.Errorf("ReEncrypt answers %v", back)
	}
	got := f.do("Decrypt", m{"KeyId": id, "EncryptionAlgorithm": alg, "CiphertextBlob": back["CiphertextBlob"]})
	if !bytes.Equal(got.bytes("Plaintext"), plain) {
		f.Error("re-encrypted twice, the plaintext is another")
	}
}

// TestAsymmetricDecryptRefusals: a raw ciphertext tells nothing, so the request
// has to.
func TestAsymmetricDecryptRefusals(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})
	other, _ := f.create(m{})
	const alg = "RSAES_OAEP_SHA_256"
	sealed := f.do("Encrypt", m{"KeyId": id, "EncryptionAlgorithm": alg, "Plaintext": []byte("x")})["CiphertextBlob"]
	unsuited := "InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, unsuited)
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x"), "EncryptionAlgorithm": alg, "EncryptionContext": m{"a": "1"}},
		"ValidationException: EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
	f.refuse("Decrypt", m{"CiphertextBlob": sealed, "KeyId": id}, unsuited)
	f.refuse("Decrypt", m{"CiphertextBlob": sealed}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"CiphertextBlob": sealed, "EncryptionAlgorithm": alg}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"CiphertextBlob": sealed, "KeyId": id, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"CiphertextBlob": f.encrypt(other, "x", nil), "KeyId": id},
		"IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.")
	f.refuse("GenerateDataKey", dataKey(f, id, ""), unsuited)
	f.do("DisableKey", m{"KeyId": id})
	f.refuse("Decrypt", m{"CiphertextBlob": sealed, "KeyId": id, "EncryptionAlgorithm": alg}, "DisabledException: "+arn+" is disabled.")
}

// TestDeriveSharedSecret agrees with crypto/ecdh and, on SM2's curve, with itself
// from the other side.
func TestDeriveSharedSecret(t *testing.T) {
	f := newFixture(t)
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521} {
		id, _ := f.create(m{"KeySpec": spec, "KeyUsage": "KEY_AGREEMENT"})
		parsed, err := x509.ParsePKIXPublicKey(f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey"))
		if err != nil {
			t.Fatal(err)
		}
		public, err := parsed.(*ecdsa.PublicKey).ECDH()
		if err != nil {
			t.Fatal(err)
		}
		mine, err := public.Curve().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := mine.ECDH(public)
		if err != nil {
			t.Fatal(err)
		}
		got := f.do("DeriveSharedSecret", m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki(t, mine.PublicKey())})
		if !bytes.Equal(got.bytes("SharedSecret"), want) || got["KeyId"] != keyARN(id) || got["KeyOrigin"] != "AWS_KMS" ||
			got["KeyAgreementAlgorithm"] != "ECDH" {
			t.Errorf("%s: DeriveSharedSecret answers %v", spec, got)
		}
		if p := f.recorded(requestParameters); p != `{"keyAgreementAlgorithm":"ECDH","keyId":"`+id+`"}` {
			t.Errorf("DeriveSharedSecret records %s", p)
		}
		f.usedBy("DeriveSharedSecret", id)
		for _, bad := range [][]byte{[]byte("garbage"), peer(t, hsm.ECCSecgP256K1), peer(t, hsm.RSA2048), spki(t, mine.PublicKey())[1:]} {
			f.refuse("DeriveSharedSecret", m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": bad}, "ValidationException")
		}
	}
	one, _ := f.create(m{"KeySpec": "SM2", "KeyUsage": "KEY_AGREEMENT"})
	two, _ := f.create(m{"KeySpec": "SM2", "KeyUsage": "KEY_AGREEMENT"})
	derive := func(id, peer string) string {
		public := f.do("GetPublicKey", m{"KeyId": peer})["PublicKey"]
		return f.do("DeriveSharedSecret", m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}).text("SharedSecret")
	}
	if derive(one, two) != derive(two, one) || derive(one, two) == derive(one, one) {
		t.Error("the two sides have different secrets, or all the same")
	}
}

func spki(t *testing.T, public *ecdh.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestEncapsulate: what Encapsulate and crypto/mlkem make, Decapsulate opens, and
// it rejects implicitly.
func TestEncapsulate(t *testing.T) {
	f := newFixture(t)
	for spec, size := range map[string]int{"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568} {
		id, _ := f.create(m{"KeySpec": spec, "KeyUsage": "ENCAPSULATE_DECAPSULATE"})
		request := m{"KeyId": id, "EncapsulationAlgorithm": "ML_KEM"}
		made := f.do("Encapsulate", request)
		blob := made.bytes("SharedSecretCiphertextBlob")
		if len(blob) != size || len(made.bytes("SharedSecret")) != 32 || made["EncapsulationAlgorithm"] != "ML_KEM" || made["KeyId"] != keyARN(id) {
			t.Errorf("%s: Encapsulate answers %v", spec, made)
		}
		f.usedBy("Encapsulate", id)
		decapsulate := func(blob []byte) []byte {
			return f.do("Decapsulate", m{"KeyId": id, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": blob}).bytes("SharedSecret")
		}
		secret := made.bytes("SharedSecret")
		if !bytes.Equal(decapsulate(blob), secret) {
			t.Errorf("%s: Decapsulate answers another secret", spec)
		}
		f.usedBy("Decapsulate", id)
		if p := f.node.RawEvents(t); strings.Contains(strings.Join(p, ""), made.text("SharedSecret")) {
			t.Error("the secret is in the ledger")
		}
		blob[0] ^= 1 // implicit rejection: a secret, but another
		if other := decapsulate(blob); bytes.Equal(other, secret) || !bytes.Equal(other, decapsulate(blob)) {
			t.Errorf("%s: a damaged ciphertext gives %x", spec, other)
		}
		for _, bad := range [][]byte{blob[1:], append(bytes.Clone(blob), 0)} {
			f.refuse("Decapsulate", m{"KeyId": id, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": bad}, "InvalidCiphertextException")
		}
		public := f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey")
		if spec == "ML_KEM_768" {
			key, err := mlkem.NewEncapsulationKey768(public[len(public)-mlkem.EncapsulationKeySize768:])
			if err != nil {
				t.Fatal(err)
			}
			secret, ciphertext := key.Encapsulate()
			if got := decapsulate(ciphertext); !bytes.Equal(got, secret) {
				t.Errorf("Decapsulate of what crypto/mlkem made answers %x", got)
			}
		}
	}
}

// TestMac holds MACs against crypto/hmac.
func TestMac(t *testing.T) {
	hashes := map[hsm.KeySpec]func() hash.Hash{hsm.HMAC224: sha256.New224, hsm.HMAC256: sha256.New, hsm.HMAC384: sha512.New384, hsm.HMAC512: sha512.New}
	for spec, h := range hashes {
		f := newFixture(t)
		id, raw, _ := f.known(spec, "GENERATE_VERIFY_MAC")
		request := m{"KeyId": id, "MacAlgorithm": algorithm.MACAlgorithmOf(spec), "Message": []byte("message")}
		outside := hmac.New(h, raw)
		outside.Write([]byte("message"))
		got := f.do("GenerateMac", request)
		if !hmac.Equal(got.bytes("Mac"), outside.Sum(nil)) || got["KeyId"] != keyARN(id) {
			t.Errorf("%s: GenerateMac answers %v", spec, got)
		}
		f.usedBy("GenerateMac", id)
		request["Mac"] = got["Mac"]
		if got := f.do("VerifyMac", request); got["MacValid"] != true || got["KeyId"] != keyARN(id) {
			t.Errorf("%s: VerifyMac answers %v", spec, got)
		}
		f.usedBy("VerifyMac", id)
		for _, bad := range [][]byte{make([]byte, h().Size()), outside.Sum(nil)[1:], []byte("x")} {
			request["Mac"] = bad
			f.refuse("VerifyMac", request, "KMSInvalidMacException")
		}
		request["MacAlgorithm"] = map[bool]string{true: "HMAC_SHA_256", false: "HMAC_SHA_224"}[spec == hsm.HMAC224]
		f.refuse("VerifyMac", request, fmt.Sprintf("InvalidKeyUsageException: Algorithm %s is incompatible with key spec %s.", request["MacAlgorithm"], spec))
		f.refuse("GetPublicKey", m{"KeyId": id}, "UnsupportedOperationException")
	}
}

// predictable is a partition whose random numbers the test knows.
type predictable struct {
	*servertest.HSM
	source *chacha.ChaCha8
}

func (p *predictable) Random(_ context.Context, b []byte) error {
	_, err := p.source.Read(b)
	return err
}

// TestGenerateDataKeyPair makes pairs of all specs: the private key is a PKCS#8 of
// the public one, and decrypts; and it comes from the partition's random numbers.
func TestGenerateDataKeyPair(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	material := f.described(id).text("CurrentKeyMaterialId")
	for _, spec := range []hsm.KeySpec{hsm.RSA2048, hsm.RSA3072, hsm.RSA4096, hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521,
		hsm.ECCSecgP256K1, hsm.SM2, hsm.ECCNistEdwards25519, hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024} {
		request := m{"KeyId": id, "KeyPairSpec": spec, "EncryptionContext": m{"a": "1"}}
		got := f.do("GenerateDataKeyPair", request)
		f.usedBy("GenerateDataKeyPair", id)
		if _, public, _, err := algorithm.Import(spec, got.bytes("PrivateKeyPlaintext")); err != nil || !bytes.Equal(public, got.bytes("PublicKey")) {
			t.Errorf("%s: the private key is of another public key: %v", spec, err)
		}
		if got["KeyId"] != arn || got["KeyPairSpec"] != string(spec) || got["KeyMaterialId"] != material {
			t.Errorf("%s: GenerateDataKeyPair answers %v", spec, got)
		}
		opened := f.do("Decrypt", m{"CiphertextBlob": got["PrivateKeyCiphertextBlob"], "EncryptionContext": m{"a": "1"}})
		if opened["Plaintext"] != got["PrivateKeyPlaintext"] {
			t.Errorf("%s: the private key decrypts to another", spec)
		}
		if strings.HasPrefix(string(spec), "RSA_") && spec != hsm.RSA2048 {
			continue // slow to make
		}
		less := f.do("GenerateDataKeyPairWithoutPlaintext", request)
		if less["PrivateKeyPlaintext"] != nil || less["PublicKey"] == got["PublicKey"] || less["PublicKey"] == nil {
			t.Errorf("%s: GenerateDataKeyPairWithoutPlaintext answers %v", spec, less)
		}
		want := `{"encryptionContext":{"a":"1"},"keyId":"` + id + `","keyPairSpec":"` + string(spec) + `"}`
		if p, a := f.recorded(requestParameters), f.recorded(additional); p != want || a != `{"keyMaterialId":"`+material+`"}` {
			t.Errorf("%s: records %s, %s", spec, p, a)
		}
	}
	pair := func() string {
		f.use(&predictable{f.hsm, chacha.NewChaCha8([32]byte{1})})
		return f.do("GenerateDataKeyPair", keyPair(f, id, "")).text("PrivateKeyPlaintext")
	}
	if one := pair(); one != pair() {
		t.Error("the partition's random numbers are the same, the key pairs are not")
	}
}

// TestCreateKeyOfEverySpec: KeyMetadata lists what the key can do, in AWS's order.
func TestCreateKeyOfEverySpec(t *testing.T) {
	f := newFixture(t)
	pss := []any{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "RSASSA_PSS_SHA_256",
		"RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"}
	for _, test := range []struct {
		spec, usage, list string
		algorithms        []any
	}{
		{"RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", pss},
		{"RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", []any{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}},
		{"ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", []any{"ECDSA_SHA_256"}},
		{"ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", []any{"ECDSA_SHA_384"}},
		{"ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", []any{"ECDSA_SHA_512"}},
		{"ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", []any{"ECDH"}},
		{"ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", []any{"ECDSA_SHA_256"}},
		{"ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", []any{"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
		{"HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", []any{"HMAC_SHA_224"}},
		{"HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", []any{"HMAC_SHA_512"}},
		{"SM2", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", []any{"SM2PKE"}},
		{"SM2", "SIGN_VERIFY", "SigningAlgorithms", []any{"SM2DSA"}},
		{"SM2", "KEY_AGREEMENT", "KeyAgreementAlgorithms", []any{"ECDH"}},
		{"ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", []any{"ML_DSA_SHAKE_256"}},
		{"ML_KEM_1024", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", []any{"ML_KEM"}},
	} {
		got := f.do("CreateKey", m{"KeySpec": test.spec, "KeyUsage": test.usage}).object("KeyMetadata")
		if e := f.recorded(responseElements); !strings.Contains(e, strings.ToLower(test.list[:1])+test.list[1:]) {
			t.Errorf("CreateKey records %s", e)
		}
		lists := 0
		for name := range got {
			if strings.HasSuffix(name, "Algorithms") {
				lists++
			}
		}
		if lists != 1 || fmt.Sprint(got[test.list]) != fmt.Sprint(test.algorithms) || got["CurrentKeyMaterialId"] != nil {
			t.Errorf("%s for %s: %v", test.spec, test.usage, got)
		}
	}
	f.hsm.Specs = []hsm.KeySpec{hsm.SymmetricDefault}
	f.refuse("CreateKey", m{"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
		"UnsupportedOperationException: No HSM partition makes keys of the key spec SM2.")
}

// assisted is a partition that only keeps keys of some specs.
type assisted struct {
	*servertest.HSM
	specs []hsm.KeySpec
}

func (a *assisted) Info() hsm.Info {
	info := a.HSM.Info()
	info.Assisted = a.specs
	return info
}

// TestSoftwareAssistedIsRecorded: what uses material in the node's memory says so;
// what needs only the public key does not use it.
func TestSoftwareAssistedIsRecorded(t *testing.T) {
	f := newFixture(t)
	f.use(&assisted{f.hsm, []hsm.KeySpec{hsm.SM2}})
	id, _ := f.create(m{"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"})
	says := func(want string) {
		t.Helper()
		if got := f.recorded(additional); got != want {
			t.Errorf("%s records %s, want %s", f.event().EventName, got, want)
		}
	}
	says(`{"softwareAssisted":true}`)
	request := m{"KeyId": id, "SigningAlgorithm": "SM2DSA", "Message": []byte("x")}
	request["Signature"] = f.do("Sign", request)["Signature"]
	says(`{"softwareAssisted":true}`)
	f.do("Verify", request)
	says(`null`)
	f.edit(id, func(k *state.Key) { k.Usage = "ENCRYPT_DECRYPT" })
	sealed := f.do("Encrypt", m{"KeyId": id, "EncryptionAlgorithm": "SM2PKE", "Plaintext": []byte("x")})["CiphertextBlob"]
	says(`null`)
	f.do("Decrypt", m{"KeyId": id, "EncryptionAlgorithm": "SM2PKE", "CiphertextBlob": sealed})
	says(`{"softwareAssisted":true}`)
	f.create(m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})
	says(`null`)
}
