package kms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
)

// withEnclaves has the service trust an authority, and answers it.
func (f *fixture) withEnclaves() *attestationtest.Authority {
	f.Helper()
	authority := attestationtest.New(f, attestationtest.Plan{})
	verifier, err := attestation.NewVerifier(authority.PEM())
	if err != nil {
		f.Fatal(err)
	}
	f.attestation = verifier
	f.use(f.hsm)
	return authority
}

// recipientOf is a request's member for the enclave of an authority.
func recipientOf(t testing.TB, a *attestationtest.Authority, payload attestationtest.Payload) m {
	return m{"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": a.Sign(t, payload).Encode(t)}
}

// inEnclave opens CiphertextForRecipient. attestation_test.go reads envelopes to
// the letter; here the parts are found by what stands before them.
func inEnclave(t testing.TB, envelope []byte) []byte {
	t.Helper()
	_, rest, ok := bytes.Cut(envelope, []byte{0x04, 0x82, 0x01, 0x00})
	if !ok || len(rest) < 256 {
		t.Fatalf("no encrypted key in %x", envelope)
	}
	key, err := rsa.DecryptOAEP(sha256.New(), nil, attestationtest.Enclave(), rest[:256], nil)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok = bytes.Cut(rest[256:], []byte{0x03, 0x04, 0x01, 0x2a, 0x04, 0x10})
	if !ok || len(rest) < 20 || rest[16] != 0xa0 {
		t.Fatalf("no content in %x", envelope)
	}
	iv := rest[:16]
	var content asn1.RawValue
	if _, err := asn1.Unmarshal(rest[18:], &content); err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	plaintext := make([]byte, len(content.Bytes))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plaintext, content.Bytes)
	return plaintext[:len(plaintext)-int(plaintext[len(plaintext)-1])]
}

// TestRecipient gives enclaves what they ask for, and nobody else anything.
func TestRecipient(t *testing.T) {
	f := newFixture(t)
	a := f.withEnclaves()
	id, _ := f.create(m{})
	to := recipientOf(t, a, a.Payload(t))
	materialID := f.described(id).text("CurrentKeyMaterialId")
	blob := f.encrypt(id, "attack at dawn", nil)

	got := f.do("Decrypt", m{"CiphertextBlob": blob, "Recipient": to})
	if _, there := got["Plaintext"]; there || string(inEnclave(t, got.bytes("CiphertextForRecipient"))) != "attack at dawn" {
		t.Errorf("Decrypt answers %v", got)
	}
	said := `"recipient":{"attestationDocumentEnclaveImageDigest":"` + strings.Repeat("a0", 48) + `","attestationDocumentModuleId":"i-0123-enc4567"}`
	if data := f.recorded(additional); data != `{"keyMaterialId":"`+materialID+`",`+said+`}` {
		t.Errorf("Decrypt records %s", data)
	}

	got = f.do("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256", "Recipient": to})
	key := inEnclave(t, got.bytes("CiphertextForRecipient"))
	if _, there := got["Plaintext"]; there || len(key) != 32 {
		t.Errorf("GenerateDataKey answers %v", got)
	}
	if plain := f.do("Decrypt", m{"CiphertextBlob": got["CiphertextBlob"]}); !bytes.Equal(plain.bytes("Plaintext"), key) {
		t.Errorf("Decrypt answers %v", plain)
	}
	if data := f.recorded(additional); strings.Contains(data, "recipient") {
		t.Errorf("a call without recipient records %s", data)
	}

	got = f.do("GenerateRandom", m{"NumberOfBytes": 100, "Recipient": to})
	if _, there := got["Plaintext"]; there || len(inEnclave(t, got.bytes("CiphertextForRecipient"))) != 100 {
		t.Errorf("GenerateRandom answers %v", got)
	}
	if data := f.recorded(additional); data != `{`+said+`}` {
		t.Errorf("GenerateRandom records %s", data)
	}
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "Recipient": to, "DryRun": true},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
}

// TestRecipientOfPrivateKeys gives enclaves the private half of data key pairs, and
// shared secrets.
func TestRecipientOfPrivateKeys(t *testing.T) {
	f := newFixture(t)
	a := f.withEnclaves()
	to := recipientOf(t, a, a.Payload(t))
	id, _ := f.create(m{})
	got := f.do("GenerateDataKeyPair", m{"KeyId": id, "KeyPairSpec": "ECC_NIST_P256", "Recipient": to})
	private := inEnclave(t, got.bytes("CiphertextForRecipient"))
	if _, there := got["PrivateKeyPlaintext"]; there {
		t.Errorf("GenerateDataKeyPair answers %v", got)
	}
	if plain := f.do("Decrypt", m{"CiphertextBlob": got["PrivateKeyCiphertextBlob"]}); !bytes.Equal(plain.bytes("Plaintext"), private) {
		t.Errorf("Decrypt answers %v", plain)
	}
	agreement, _ := f.create(m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"})
	request := m{"KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": got["PublicKey"]}
	secret := f.do("DeriveSharedSecret", request).bytes("SharedSecret")
	request["Recipient"] = to
	got = f.do("DeriveSharedSecret", request)
	if _, there := got["SharedSecret"]; there || !bytes.Equal(inEnclave(t, got.bytes("CiphertextForRecipient")), secret) {
		t.Errorf("DeriveSharedSecret answers %v", got)
	}
	if data := f.recorded(additional); !strings.Contains(data, `"attestationDocumentModuleId":"i-0123-enc4567"`) {
		t.Errorf("DeriveSharedSecret records %s", data)
	}
}

// TestRecipientRefusals: what is wrong with a document is said, and nothing is
// answered.
func TestRecipientRefusals(t *testing.T) {
	f := newFixture(t)
	a := f.withEnclaves()
	id, _ := f.create(m{})
	blob := f.encrypt(id, "x", nil)
	refuse := func(to m, want string) {
		t.Helper()
		for operation, request := range map[string]m{
			"Decrypt": {"CiphertextBlob": blob}, "GenerateDataKey": {"KeyId": id, "KeySpec": "AES_128"}, "GenerateRandom": {"NumberOfBytes": 1},
		} {
			request["Recipient"] = to
			f.refuse(operation, request, "ValidationException: Recipient: "+want)
		}
	}
	whole := recipientOf(t, a, a.Payload(t))
	refuse(m{"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}, "an attestation document is needed.")
	refuse(m{"AttestationDocument": base64.StdEncoding.EncodeToString([]byte("x"))}, "attestation document is invalid: it is no COSE_Sign1 structure.")
	other := attestationtest.New(t, attestationtest.Plan{})
	refuse(recipientOf(t, other, other.Payload(t)), "attestation document is invalid: its certificate is not valid now under a trusted root.")
	payload := a.Payload(t)
	delete(payload, "public_key")
	refuse(recipientOf(t, a, payload), "attestation document has no public key.")
	altered := bytes.Clone(whole["AttestationDocument"].([]byte))
	altered[len(altered)-1] ^= 1
	refuse(m{"AttestationDocument": altered}, "attestation document is invalid: the signature is wrong.")
	f.now = start.Add(4 * time.Hour)
	refuse(whole, "attestation document is invalid: its certificate is not valid now under a trusted root.")
}

// TestPoliciesSeeTheEnclave: policies decide by what a document proves, and by
// nothing where there is none.
func TestPoliciesSeeTheEnclave(t *testing.T) {
	f := newFixture(t)
	a := f.withEnclaves()
	user := f.user(account, "user")
	id, _ := f.create(m{})
	payload := a.Payload(t)
	payload["nitrotpm_pcrs"] = map[int][]byte{4: attestationtest.Fill(48, 0xb4)}
	to := recipientOf(t, a, payload)
	requests := map[string]m{
		"Decrypt":         {"CiphertextBlob": f.encrypt(id, "x", nil)},
		"GenerateDataKey": {"KeyId": id, "KeySpec": "AES_128"},
		"GenerateRandom":  {"NumberOfBytes": 1},
	}
	image := strings.Repeat("a0", 48)
	for condition, allowed := range map[string]bool{
		`"StringEqualsIgnoreCase":{"kms:RecipientAttestation:ImageSha384":"` + strings.ToUpper(image) + `"}`: true,
		`"StringEquals":{"kms:RecipientAttestation:ImageSha384":"` + image + `"}`:                            true,
		`"StringEquals":{"kms:RecipientAttestation:ImageSha384":"` + strings.Repeat("a1", 48) + `"}`:         false,
		`"StringEquals":{"kms:RecipientAttestation:PCR0":"` + image + `"}`:                                   true,
		`"StringEquals":{"kms:RecipientAttestation:PCR1":"` + image + `"}`:                                   false,
		`"StringEquals":{"kms:RecipientAttestation:PCR31":"` + strings.Repeat("ff", 32) + `"}`:               true,
		`"StringEquals":{"kms:RecipientAttestation:NitroTPMPCR4":"` + strings.Repeat("b4", 48) + `"}`:        true,
		`"StringEquals":{"kms:RecipientAttestation:NitroTPMPCR0":"` + image + `"}`:                           false,
		`"Null":{"kms:RecipientAttestation:PCR3":"true","kms:RecipientAttestation:PCR00":"true"}`:            true,
		`"Null":{"kms:RecipientAttestation:PCRx":"true","kms:RecipientAttestation:Other":"true"}`:            true,
		`"Null":{"kms:RecipientAttestation:PCR0":"true"}`:                                                    false,
	} {
		f.identityPolicy(user, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{`+condition+`}}}`)
		for operation, request := range requests {
			with, without := m{"Recipient": to}, m{}
			for name, value := range request {
				with[name], without[name] = value, value
			}
			f.as(user, func() {
				if !allowed {
					f.refuseStart(operation, with, "AccessDeniedException: ")
				} else if _, err := f.try(operation, encode(f, with)); err != nil {
					t.Errorf("%s where %s: %v", operation, condition, err)
				}
				if strings.HasPrefix(condition, `"String`) {
					f.refuseStart(operation, without, "AccessDeniedException: ")
				}
			})
		}
	}
}
