package kms_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/soft"
	"github.com/cofre-kms/cofre/server/call"
)

// apiHolder brings keys in by ImportKeyMaterial.
type apiHolder struct{ *fixture }

// newAPIHolder is the API over a partition.
func newAPIHolder(t *testing.T, p hsm.Partition) apiHolder {
	t.Helper()
	if err := p.CreateDomain(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	f.use(p)
	f.initialize(p)
	return apiHolder{f}
}

func (h apiHolder) Can(spec hsm.KeySpec) bool { return slices.Contains(importable, spec) }

func (h apiHolder) Bring(spec hsm.KeySpec, use string, material []byte) (hsmtest.Held, error) {
	h.Helper()
	id, _ := h.create(m{"Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": use})
	w := h.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	if strings.HasPrefix(string(spec), "RSA_") { // longer than SM2PKE takes
		w = h.wrapping(id, hsm.WrapAESSHA256, hsm.RSA2048)
	}
	_, err := h.try("ImportKeyMaterial", encode(h, w.imports(h, id, material, never())))
	return apiKey{h.fixture, id, spec}, err
}

// Refused: each refusal is an exception that is the client's fault.
func (h apiHolder) Refused(err error) bool {
	var e *call.Error
	return errors.As(err, &e) && e.Status == 400
}

// apiKey is a key that was imported.
type apiKey struct {
	*fixture
	id   string
	spec hsm.KeySpec
}

// answer calls an operation, for a member of its answer.
func (k apiKey) answer(operation, member string, request m) ([]byte, error) {
	request["KeyId"] = k.id
	got, err := k.try(operation, encode(k, request))
	if err != nil {
		return nil, err
	}
	return got.bytes(member), nil
}

func (k apiKey) Public() []byte { return k.do("GetPublicKey", m{"KeyId": k.id}).bytes("PublicKey") }

// Sign has the message hashed by the client where the API takes none such.
func (k apiKey) Sign(alg hsm.SigningAlgorithm, message []byte) ([]byte, error) {
	request := m{"SigningAlgorithm": alg, "Message": message}
	if len(message) == 0 || len(message) > 4096 {
		digest, err := algorithm.Digest(k.Public(), k.spec, alg, message)
		if err != nil {
			return nil, err
		}
		request["Message"], request["MessageType"] = digest, "DIGEST"
	}
	return k.answer("Sign", "Signature", request)
}

func (k apiKey) Open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	return k.answer("Decrypt", "Plaintext", m{"EncryptionAlgorithm": alg, "CiphertextBlob": ciphertext})
}

func (k apiKey) MAC(message []byte) ([]byte, error) {
	if len(message) == 0 {
		return nil, hsmtest.ErrNoRequest
	}
	return k.answer("GenerateMac", "Mac", m{"MacAlgorithm": algorithm.MACAlgorithmOf(k.spec), "Message": message})
}

func (k apiKey) VerifyMAC(message, tag []byte) error {
	_, err := k.answer("VerifyMac", "", m{"MacAlgorithm": algorithm.MACAlgorithmOf(k.spec), "Message": message, "Mac": tag})
	return err
}

func (k apiKey) Agree(peer []byte) ([]byte, error) {
	return k.answer("DeriveSharedSecret", "SharedSecret", m{"KeyAgreementAlgorithm": "ECDH", "PublicKey": peer})
}

func (k apiKey) Decapsulate(ciphertext []byte) ([]byte, error) {
	return k.answer("Decapsulate", "SharedSecret", m{"EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": ciphertext})
}

// TestPublished runs published vectors through the API on the embedded partition.
func TestPublished(t *testing.T) {
	p, err := soft.Open(t.Context(), soft.Config{
		Path: filepath.Join(t.TempDir(), "partition"), PIN: "correct", CacheKeys: 32,
		Cost: soft.Cost{Passes: 1, MemoryKiB: 8, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	hsmtest.Published(t, newAPIHolder(t, p))
}
