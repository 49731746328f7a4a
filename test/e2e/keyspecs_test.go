package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/hsmtest/vectors"
	"github.com/cofre-kms/cofre/test/rig"
)

// TestKeySpecs does all that keys of each spec and usage are for, each call on the
// next node. What Cofre makes others check, and what others make Cofre takes.
func TestKeySpecs(t *testing.T) {
	eachClusterOf(t, rig.Config{Assisted: true}, func(t *testing.T, c *rig.Cluster) {
		statusSaysAssisted(t, c)
		s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
		tool := newOpenSSL(t)
		for _, spec := range types.KeySpec("").Values() {
			for _, usage := range usages(spec) {
				t.Run(string(spec)+","+string(usage), func(t *testing.T) {
					s.t, s.ctx, tool.t = t, t.Context(), t
					if spec != types.KeySpecRsa3072 && spec != types.KeySpecRsa4096 { // slow to make; they are imported
						s.use(s.made(tool, spec, usage))
					}
					if !strings.HasPrefix(string(spec), "ML_") {
						s.use(s.imported(tool, spec, usage))
					}
				})
			}
		}
		s.t, s.ctx, tool.t = t, t.Context(), t
		s.dataKeyPairs(tool)
	})
}

// statusSaysAssisted: an operator sees which keys are used in a node's memory.
func statusSaysAssisted(t *testing.T, c *rig.Cluster) {
	t.Helper()
	for _, n := range c.Nodes {
		status, err := n.Status()
		must(t, err)
		text, err := n.Run("", "status")
		must(t, err)
		assisted := slices.Contains(status.HSM.Assisted, hsm.MLDSA44)
		if token := status.HSM.Kind == "pkcs11"; assisted != token || strings.Contains(string(text), "ML_DSA_44") != token {
			t.Errorf("%s: assisted are %v, and cofre status prints\n%s", n.Name, status.HSM.Assisted, text)
		}
	}
}

// usages are those of AWS's table "Key spec reference".
func usages(spec types.KeySpec) []types.KeyUsageType {
	prefix, _, _ := strings.Cut(string(spec), "_")
	switch {
	case prefix == "RSA":
		return []types.KeyUsageType{types.KeyUsageTypeSignVerify, types.KeyUsageTypeEncryptDecrypt}
	case prefix == "HMAC":
		return []types.KeyUsageType{types.KeyUsageTypeGenerateVerifyMac}
	case spec == types.KeySpecSm2:
		return []types.KeyUsageType{types.KeyUsageTypeSignVerify, types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeKeyAgreement}
	case strings.HasPrefix(string(spec), "ECC_NIST_P"):
		return []types.KeyUsageType{types.KeyUsageTypeSignVerify, types.KeyUsageTypeKeyAgreement}
	case strings.HasPrefix(string(spec), "ML_KEM"):
		return []types.KeyUsageType{"ENCAPSULATE_DECAPSULATE"}
	case spec == types.KeySpecSymmetricDefault:
		return []types.KeyUsageType{types.KeyUsageTypeEncryptDecrypt}
	}
	return []types.KeyUsageType{types.KeyUsageTypeSignVerify}
}

// specKey is a key, and what somebody outside has of it.
type specKey struct {
	*types.KeyMetadata
	outside
}

// made makes a key.
func (s *scenario) made(tool openssl, spec types.KeySpec, usage types.KeyUsageType) *specKey {
	s.t.Helper()
	k := &specKey{s.describe(s.createOther(spec, usage)), outside{tool: tool, spec: spec}}
	s.getPublic(k)
	return k
}

// getPublic asks for the public key, which HMAC and symmetric keys do not have.
func (s *scenario) getPublic(k *specKey) {
	s.t.Helper()
	get := &kms.GetPublicKeyInput{KeyId: k.KeyId}
	if k.is("HMAC") || k.is("SYMMETRIC") {
		fails(s, "UnsupportedOperationException", (*kms.Client).GetPublicKey, get)
		return
	}
	k.public = call(s, (*kms.Client).GetPublicKey, get).PublicKey
}

// imported makes a key whose material was made outside.
func (s *scenario) imported(tool openssl, spec types.KeySpec, usage types.KeyUsageType) *specKey {
	s.t.Helper()
	id := call(s, (*kms.Client).CreateKey, &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage, Origin: types.OriginTypeExternal}).KeyMetadata.KeyId
	material := s.material(tool, spec)
	parameters := call(s, (*kms.Client).GetParametersForImport, &kms.GetParametersForImportInput{
		KeyId: id, WrappingAlgorithm: types.AlgorithmSpecRsaAesKeyWrapSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048})
	call(s, (*kms.Client).ImportKeyMaterial, &kms.ImportKeyMaterialInput{
		KeyId: id, ImportToken: parameters.ImportToken, ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
		EncryptedKeyMaterial: hsmtest.Wrap(s.t, parameters.PublicKey, hsm.RSA2048, hsm.WrapAESSHA256, material)})
	k := &specKey{s.describe(*id), outside{tool: tool, spec: spec, private: material}}
	s.getPublic(k)
	return k
}

// material makes the material of a key outside. It is planted, unless it is
// published.
func (s *scenario) material(tool openssl, spec types.KeySpec) []byte {
	s.t.Helper()
	size := strings.TrimPrefix(string(spec), "RSA_")
	if size != string(spec) {
		return vectors.Load(s.t, "wycheproof_rsa_oaep_"+size+"_sha256_mgf1sha256")[0].Private
	}
	var material []byte
	if n := algorithm.SecretSize(hsm.KeySpec(spec)); n > 0 {
		material = make([]byte, n)
		_, _ = rand.Read(material) // never fails
	} else {
		material = tool.private(map[types.KeySpec][]string{
			types.KeySpecEccNistP256:         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
			types.KeySpecEccNistP384:         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
			types.KeySpecEccNistP521:         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
			types.KeySpecEccSecgP256k1:       {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"},
			types.KeySpecEccNistEdwards25519: {"-algorithm", "ED25519"},
			types.KeySpecSm2:                 {"-algorithm", "SM2"},
		}[spec]...)
	}
	s.secrets.Add("imported material", material)
	return material
}

// use does all that a key is for. Its description says by which algorithms.
func (s *scenario) use(k *specKey) {
	s.t.Helper()
	before := s.calls
	for _, alg := range k.SigningAlgorithms {
		s.useSign(k, alg)
	}
	for _, alg := range k.EncryptionAlgorithms {
		s.useEncrypt(k, alg)
	}
	for _, alg := range k.MacAlgorithms {
		s.useMAC(k, alg)
	}
	if len(k.KeyAgreementAlgorithms) > 0 {
		s.useAgree(k)
	}
	if k.KeyUsage == "ENCAPSULATE_DECAPSULATE" {
		s.useEncapsulate(k)
	}
	if s.calls == before {
		s.t.Errorf("nothing is done with %+v", k.KeyMetadata)
	}
}

func (s *scenario) useSign(k *specKey, alg types.SigningAlgorithmSpec) {
	s.t.Helper()
	message := s.secrets.Plaintext(100)
	for _, form := range s.forms(k, alg, message) {
		signed := call(s, (*kms.Client).Sign, &kms.SignInput{KeyId: k.KeyId, SigningAlgorithm: alg, Message: form.message, MessageType: form.kind})
		if !k.verifies(s.t, alg, message, signed.Signature) {
			s.t.Errorf("%s, %s: nobody else verifies %x", alg, form.kind, signed.Signature)
		}
		verify := &kms.VerifyInput{KeyId: k.KeyId, SigningAlgorithm: alg, Message: form.message, MessageType: form.kind, Signature: signed.Signature}
		call(s, (*kms.Client).Verify, verify)
		if k.private != nil {
			verify.Signature = k.signs(s.t, alg, message)
			call(s, (*kms.Client).Verify, verify)
		}
		verify.Signature = slices.Clone(verify.Signature)
		verify.Signature[len(verify.Signature)/2] ^= 1
		fails(s, "KMSInvalidSignatureException", (*kms.Client).Verify, verify)
	}
}

// form is a message as Sign takes it.
type form struct {
	kind    types.MessageType
	message []byte
}

// forms are the message itself, and what a client makes of it.
func (s *scenario) forms(k *specKey, alg types.SigningAlgorithmSpec, message []byte) []form {
	s.t.Helper()
	kind := types.MessageTypeDigest
	switch alg {
	case types.SigningAlgorithmSpecEd25519Sha512:
		return []form{{types.MessageTypeRaw, message}}
	case types.SigningAlgorithmSpecMlDsaShake256:
		kind = types.MessageTypeExternalMu
	}
	hashed := digestOf(string(alg), message)
	if k.is("ML_DSA") || k.is("SM2") { // the public key has a part in it
		var err error
		hashed, err = algorithm.Digest(k.public, hsm.KeySpec(k.spec), hsm.SigningAlgorithm(alg), message)
		must(s.t, err)
	}
	if alg == types.SigningAlgorithmSpecEd25519PhSha512 {
		return []form{{kind, hashed}}
	}
	return []form{{types.MessageTypeRaw, message}, {kind, hashed}}
}

func (s *scenario) useEncrypt(k *specKey, alg types.EncryptionAlgorithmSpec) {
	s.t.Helper()
	plaintext := s.secrets.Plaintext(64)
	sealed := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: k.KeyId, EncryptionAlgorithm: alg, Plaintext: plaintext}).CiphertextBlob
	opens := func(ciphertext []byte) {
		s.t.Helper()
		out := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{KeyId: k.KeyId, EncryptionAlgorithm: alg, CiphertextBlob: ciphertext})
		if !bytes.Equal(out.Plaintext, plaintext) {
			s.t.Errorf("%s: decrypted something else", alg)
		}
	}
	opens(sealed)
	if k.public == nil {
		return // Cofre's own form; server.TestCiphertextsOpenWithoutCofre opens it
	}
	opens(k.encrypts(s.t, alg, plaintext))
	if k.private != nil && !bytes.Equal(k.decrypts(s.t, alg, sealed), plaintext) {
		s.t.Errorf("%s: somebody else decrypts something else", alg)
	}
}

func (s *scenario) useMAC(k *specKey, alg types.MacAlgorithmSpec) {
	s.t.Helper()
	message := s.secrets.Plaintext(100)
	mac := call(s, (*kms.Client).GenerateMac, &kms.GenerateMacInput{KeyId: k.KeyId, Message: message, MacAlgorithm: alg}).Mac
	if k.private != nil && !bytes.Equal(mac, k.macs(alg, message)) {
		s.t.Errorf("%s: the MAC is %x", alg, mac)
	}
	verify := &kms.VerifyMacInput{KeyId: k.KeyId, Message: message, MacAlgorithm: alg, Mac: mac}
	call(s, (*kms.Client).VerifyMac, verify)
	verify.Mac = append([]byte{mac[0] ^ 1}, mac[1:]...)
	fails(s, "KMSInvalidMacException", (*kms.Client).VerifyMac, verify)
}

func (s *scenario) useAgree(k *specKey) {
	s.t.Helper()
	public, secret := k.agrees(s.t)
	s.secrets.Add("a shared secret", secret)
	for range s.clients {
		out := call(s, (*kms.Client).DeriveSharedSecret, &kms.DeriveSharedSecretInput{
			KeyId: k.KeyId, PublicKey: public, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh})
		if !bytes.Equal(out.SharedSecret, secret) {
			s.t.Errorf("%s: agreed on another secret", k.spec)
		}
	}
}

func (s *scenario) useEncapsulate(k *specKey) {
	s.t.Helper()
	made := call(s, (*kms.Client).Encapsulate, &kms.EncapsulateInput{KeyId: k.KeyId, EncapsulationAlgorithm: "ML_KEM"})
	secret, ciphertext := k.encapsulates(s.t)
	for sealed, want := range map[string][]byte{string(made.SharedSecretCiphertextBlob): made.SharedSecret, string(ciphertext): secret} {
		s.secrets.Add("an encapsulated secret", want)
		out := call(s, (*kms.Client).Decapsulate, &kms.DecapsulateInput{
			KeyId: k.KeyId, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: []byte(sealed)})
		if !bytes.Equal(out.SharedSecret, want) {
			s.t.Errorf("%s: decapsulated another secret", k.spec)
		}
	}
}

// dataKeyPairs makes pairs for use outside: what the private key signs there, the
// public key verifies.
func (s *scenario) dataKeyPairs(tool openssl) {
	wrapping := s.createKey("of data key pairs")
	for _, spec := range []types.DataKeyPairSpec{types.DataKeyPairSpecEccNistP256, types.DataKeyPairSpecEccNistP521, types.DataKeyPairSpecEccSecgP256k1,
		types.DataKeyPairSpecEccNistEdwards25519, types.DataKeyPairSpecSm2} {
		pair := call(s, (*kms.Client).GenerateDataKeyPair, &kms.GenerateDataKeyPairInput{KeyId: &wrapping, KeyPairSpec: spec})
		s.secrets.Add("a private data key", pair.PrivateKeyPlaintext)
		opened := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: pair.PrivateKeyCiphertextBlob})
		k := &outside{tool: tool, spec: types.KeySpec(spec), public: pair.PublicKey, private: opened.Plaintext}
		if k.is("ECC_NIST_P") {
			private, err := x509.ParsePKCS8PrivateKey(k.private)
			must(s.t, err)
			public, err := x509.MarshalPKIXPublicKey(publicOf(private))
			must(s.t, err)
			if !bytes.Equal(public, k.public) {
				s.t.Errorf("%s: the two keys are no pair", spec)
			}
			continue
		}
		message := []byte("signed outside")
		if !k.opensslVerifies(message, k.opensslSigns(message)) {
			s.t.Errorf("%s: the two keys are no pair", spec)
		}
	}
}
