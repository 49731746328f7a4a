package e2e

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
	"github.com/cofre-kms/cofre/test/rig"
)

// TestRecipient gives an enclave what it asks for on clusters that trust its
// hypervisor's root, each time on the next node; openssl opens the answers.
func TestRecipient(t *testing.T) {
	for _, kind := range rig.Kinds(t) {
		t.Run(kind, func(t *testing.T) {
			e := newEnclave(t)
			c := rig.Start(t, rig.Config{Binary: binary, HSM: kind, Prepare: e.trust})
			s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
			s.key = s.createKey("for an enclave")
			for range s.clients {
				s.reveal(e)
			}
			s.generateFor(e)
			s.agreeFor(e)
			s.onlyImage(e)
			s.strangersOf(e)
		})
	}
}

// enclave asks with documents of its authority.
type enclave struct {
	t         *testing.T
	dir       string
	authority *attestationtest.Authority
}

func newEnclave(t *testing.T) *enclave {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		absent(t, "openssl")
	}
	e := &enclave{t: t, dir: t.TempDir(), authority: attestationtest.New(t, attestationtest.Plan{Now: time.Now()})}
	key, err := x509.MarshalPKCS8PrivateKey(attestationtest.Enclave())
	if err != nil {
		t.Fatal(err)
	}
	e.write("roots.pem", e.authority.PEM())
	e.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return e
}

func (e *enclave) path(name string) string { return filepath.Join(e.dir, name) }

func (e *enclave) write(name string, content []byte) {
	e.t.Helper()
	if err := os.WriteFile(e.path(name), content, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// trust sets attestation.roots in a node's configuration.
func (e *enclave) trust(n *rig.Node) error {
	f, err := os.OpenFile(filepath.Join(n.Dir(), "cofre.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "[attestation]\nroots = %q\n", e.path("roots.pem"))
	return errors.Join(err, f.Close())
}

// recipient answers the member that asks for an answer to the enclave. Change,
// where it is not nil, changes what the hypervisor says of it.
func (e *enclave) recipient(change func(attestationtest.Payload)) *types.RecipientInfo {
	e.t.Helper()
	payload := e.authority.Payload(e.t)
	if change != nil {
		change(payload)
	}
	return &types.RecipientInfo{
		AttestationDocument:    e.authority.Sign(e.t, payload).Encode(e.t),
		KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256,
	}
}

// open has openssl decrypt an answer with the key that only the enclave has. The
// plaintext beside it must be absent.
func (e *enclave) open(envelope, plaintext []byte) []byte {
	e.t.Helper()
	if plaintext != nil {
		e.t.Error("an answer for an enclave has a plaintext")
	}
	e.write("envelope", envelope)
	out, err := exec.CommandContext(e.t.Context(), "openssl", "cms", "-decrypt", "-inform", "DER", "-binary",
		"-in", e.path("envelope"), "-inkey", e.path("key.pem"), "-out", e.path("opened")).CombinedOutput()
	if err != nil {
		e.t.Fatalf("openssl: %v\n%s", err, out)
	}
	opened, err := os.ReadFile(e.path("opened"))
	if err != nil {
		e.t.Fatal(err)
	}
	return opened
}

// reveal decrypts for the enclave what was encrypted on another node.
func (s *scenario) reveal(e *enclave) {
	s.t.Helper()
	plaintext, where := s.secrets.Plaintext(100), map[string]string{"where": "enclave"}
	sealed := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &s.key, Plaintext: plaintext, EncryptionContext: where})
	out := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: where, Recipient: e.recipient(nil)})
	if got := e.open(out.CiphertextForRecipient, out.Plaintext); !bytes.Equal(got, plaintext) {
		s.t.Errorf("the enclave reads %q, want %q", got, plaintext)
	}
}

// generateFor compares what the enclave reads with what the ciphertext beside it
// decrypts to.
func (s *scenario) generateFor(e *enclave) {
	s.t.Helper()
	same := func(what string, blob, envelope, plaintext []byte) {
		opened, read := s.open(blob), e.open(envelope, plaintext)
		s.secrets.Add(what, opened)
		if !bytes.Equal(read, opened) {
			s.t.Errorf("%s: the enclave reads %d other bytes", what, len(read))
		}
	}
	key := call(s, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyInput{
		KeyId: &s.key, KeySpec: types.DataKeySpecAes256, Recipient: e.recipient(nil)})
	same("a data key", key.CiphertextBlob, key.CiphertextForRecipient, key.Plaintext)
	pair := call(s, (*kms.Client).GenerateDataKeyPair, &kms.GenerateDataKeyPairInput{
		KeyId: &s.key, KeyPairSpec: types.DataKeyPairSpecEccNistP384, Recipient: e.recipient(nil)})
	same("a private data key", pair.PrivateKeyCiphertextBlob, pair.CiphertextForRecipient, pair.PrivateKeyPlaintext)
	random := call(s, (*kms.Client).GenerateRandom, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(48), Recipient: e.recipient(nil)})
	if got := e.open(random.CiphertextForRecipient, random.Plaintext); len(got) != 48 {
		s.t.Errorf("%d random bytes, want 48", len(got))
	}
}

func (s *scenario) open(blob []byte) []byte {
	s.t.Helper()
	return call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: blob}).Plaintext
}

// agreeFor derives a secret for the enclave; the other side derives it in clear.
func (s *scenario) agreeFor(e *enclave) {
	s.t.Helper()
	one := s.createOther(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	two := s.createOther(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	public := call(s, (*kms.Client).GetPublicKey, &kms.GetPublicKeyInput{KeyId: &two})
	out := call(s, (*kms.Client).DeriveSharedSecret, &kms.DeriveSharedSecretInput{KeyId: &one, PublicKey: public.PublicKey,
		KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, Recipient: e.recipient(nil)})
	if !bytes.Equal(e.open(out.CiphertextForRecipient, out.SharedSecret), s.agree(two, one)) {
		s.t.Error("the enclave reads another secret")
	}
}

// onlyImage lets only one enclave image decrypt with the key.
func (s *scenario) onlyImage(e *enclave) {
	s.t.Helper()
	before := call(s, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: &s.key})
	blob := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &s.key, Plaintext: s.secrets.Plaintext(32)}).CiphertextBlob
	image := strings.Repeat("a0", 48)
	only := strings.Replace(*before.Policy, `"Statement" : [`, `"Statement" : [ {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt",
		"Resource": "*", "Condition": {"StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": "`+image+`"}}},`, 1)
	if only == *before.Policy {
		s.t.Fatalf("no place for a statement in %s", only)
	}
	call(s, (*kms.Client).PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: &only})
	call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: blob, Recipient: e.recipient(nil)})
	fails(s, "AccessDeniedException", (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: blob})
	fails(s, "AccessDeniedException", (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: blob,
		Recipient: e.recipient(func(p attestationtest.Payload) {
			p["pcrs"].(map[int][]byte)[0] = attestationtest.Fill(48, 0xb0)
		})})
	call(s, (*kms.Client).PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: before.Policy})
}

// strangersOf shows that no document but one that is signed under the trusted
// root, and untouched, gets anything.
func (s *scenario) strangersOf(e *enclave) {
	s.t.Helper()
	blob := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &s.key, Plaintext: s.secrets.Plaintext(32)}).CiphertextBlob
	other := &enclave{t: e.t, authority: attestationtest.New(e.t, attestationtest.Plan{Now: time.Now()})}
	late := &enclave{t: e.t, authority: attestationtest.New(e.t, attestationtest.Plan{Now: time.Now().Add(-48 * time.Hour)})}
	broken := e.recipient(nil)
	broken.AttestationDocument[len(broken.AttestationDocument)-1] ^= 1
	for what, recipient := range map[string]*types.RecipientInfo{
		"another root": other.recipient(nil), "expired certificates": late.recipient(nil), "a broken signature": broken,
		"no document": {AttestationDocument: []byte("x"), KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256},
	} {
		_, err := s.on().Decrypt(s.ctx, &kms.DecryptInput{CiphertextBlob: blob, Recipient: recipient})
		if code(err) != "ValidationException" {
			s.t.Errorf("%s: %v, want ValidationException", what, err)
		}
	}
}
