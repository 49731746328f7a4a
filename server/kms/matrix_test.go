package kms_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// usagesOf are the usages that keys of a spec can have.
func usagesOf(spec hsm.KeySpec) []string {
	var list []string
	if spec == hsm.SymmetricDefault || len(algorithm.EncryptionAlgorithms(spec)) > 0 {
		list = append(list, "ENCRYPT_DECRYPT")
	}
	if len(algorithm.SigningAlgorithms(spec)) > 0 {
		list = append(list, "SIGN_VERIFY")
	}
	if algorithm.MACAlgorithmOf(spec) != "" {
		list = append(list, "GENERATE_VERIFY_MAC")
	}
	if algorithm.Agrees(spec) {
		list = append(list, "KEY_AGREEMENT")
	}
	if algorithm.Encapsulates(spec) {
		list = append(list, "ENCAPSULATE_DECAPSULATE")
	}
	return list
}

// needs is the usage that an operation needs.
var needs = map[string]string{
	"Encrypt": "ENCRYPT_DECRYPT", "Decrypt": "ENCRYPT_DECRYPT", "ReEncrypt": "ENCRYPT_DECRYPT", "GenerateDataKey": "ENCRYPT_DECRYPT",
	"GenerateDataKeyWithoutPlaintext": "ENCRYPT_DECRYPT", "GenerateDataKeyPair": "ENCRYPT_DECRYPT",
	"GenerateDataKeyPairWithoutPlaintext": "ENCRYPT_DECRYPT", "Sign": "SIGN_VERIFY", "Verify": "SIGN_VERIFY",
	"GenerateMac": "GENERATE_VERIFY_MAC", "VerifyMac": "GENERATE_VERIFY_MAC", "DeriveSharedSecret": "KEY_AGREEMENT",
	"Encapsulate": "ENCAPSULATE_DECAPSULATE", "Decapsulate": "ENCAPSULATE_DECAPSULATE", "GetPublicKey": "",
}

// managing are the operations that any key has, or refuses by its kind: what is sent
// beside the key's id.
var managing = map[string]m{
	"CancelKeyDeletion": nil, "DescribeKey": nil, "DisableKey": nil, "EnableKey": nil, "GetKeyLastUsage": nil, "GetKeyPolicy": nil,
	"ListAliases": nil, "ListGrants": nil, "ListKeyPolicies": nil, "ListResourceTags": nil, "ScheduleKeyDeletion": nil,
	"CreateGrant": {"GranteePrincipal": account, "Operations": []string{"DescribeKey"}},
	"TagResource": {"Tags": []m{{"TagKey": "k", "TagValue": "v"}}}, "UntagResource": {"TagKeys": []string{"k"}},
	"UpdateKeyDescription": {"Description": "d"},
	"EnableKeyRotation":    nil, "DisableKeyRotation": nil, "GetKeyRotationStatus": nil, "RotateKeyOnDemand": nil, "ListKeyRotations": nil,
	"DeleteImportedKeyMaterial": nil, "GetParametersForImport": {"WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "SM2"},
	"ReplicateKey": {"ReplicaRegion": "us-west-2"}, "UpdatePrimaryRegion": {"PrimaryRegion": "us-west-2"},
}

// kinds are the kinds of keys that some of them are for; the keys here were made in one
// Region, by Cofre.
var kinds = map[string]func(hsm.KeySpec) bool{
	"EnableKeyRotation": symmetricOnly, "DisableKeyRotation": symmetricOnly, "GetKeyRotationStatus": symmetricOnly,
	"RotateKeyOnDemand": symmetricOnly, "ListKeyRotations": symmetricOnly, "DeleteImportedKeyMaterial": noKey, "GetParametersForImport": noKey,
	"ReplicateKey": noKey, "UpdatePrimaryRegion": noKey,
}

func symmetricOnly(spec hsm.KeySpec) bool { return spec == hsm.SymmetricDefault }
func noKey(hsm.KeySpec) bool              { return false }

// cell is one cell of the matrix.
type cell struct {
	operation, usage string
	spec             hsm.KeySpec
	state            state.KeyState
}

// expected is what AWS answers: "" is success, else the exception.
func (c cell) expected() string {
	encrypts := c.usage == "ENCRYPT_DECRYPT"
	secret := c.spec == hsm.SymmetricDefault || c.usage == "GENERATE_VERIFY_MAC"
	generates := strings.HasPrefix(c.operation, "GenerateDataKey")
	inState, _, _ := strings.Cut(byState()[c.operation][slices.Index(keyStates, c.state)], ":")
	ofKind, limited := kinds[c.operation]
	_, manages := managing[c.operation]
	switch {
	case c.operation == "Decrypt" && !encrypts: // of a ciphertext that names another key
		return "IncorrectKeyException"
	case inState != "":
		return inState
	case limited && !ofKind(c.spec):
		return "UnsupportedOperationException"
	case manages:
		return ""
	case c.operation == "GetPublicKey" && secret:
		return "UnsupportedOperationException"
	case c.operation == "GetPublicKey":
		return ""
	case c.usage != needs[c.operation]:
		return "InvalidKeyUsageException"
	case generates && c.spec != hsm.SymmetricDefault:
		return "InvalidKeyUsageException"
	}
	return ""
}

// request is one that succeeds if the cell does.
func (c cell) request(f *fixture, id, symmetric string) m {
	encryption := "SYMMETRIC_DEFAULT"
	if list := algorithm.EncryptionAlgorithms(c.spec); len(list) > 0 {
		encryption = string(list[0])
	}
	signing := hsm.ECDSASHA256
	if list := algorithm.SigningAlgorithms(c.spec); len(list) > 0 {
		signing = list[0]
	}
	mac := algorithm.MACAlgorithmOf(c.spec)
	if mac == "" {
		mac = hsm.HMACSHA256
	}
	works := c.usage == needs[c.operation] && (c.state == state.Enabled || c.state == state.Updating)
	if more, manages := managing[c.operation]; manages {
		request := m{"KeyId": id}
		maps.Copy(request, more)
		return request
	}
	switch c.operation {
	case "Encrypt":
		return m{"KeyId": id, "Plaintext": []byte("x"), "EncryptionAlgorithm": encryption}
	case "Decrypt":
		if c.usage != "ENCRYPT_DECRYPT" {
			return m{"KeyId": id, "CiphertextBlob": f.encrypt(symmetric, "x", nil)}
		}
		request := m{"KeyId": id, "CiphertextBlob": make([]byte, 256), "EncryptionAlgorithm": encryption}
		if c.spec == hsm.SymmetricDefault || works {
			f.edit(id, func(k *state.Key) { k.State = state.Enabled })
			sealed := f.do("Encrypt", m{"KeyId": id, "Plaintext": []byte("x"), "EncryptionAlgorithm": encryption})
			f.edit(id, func(k *state.Key) { k.State = c.state })
			request["CiphertextBlob"] = sealed["CiphertextBlob"]
		}
		return request
	case "ReEncrypt":
		return m{"CiphertextBlob": f.encrypt(symmetric, "x", nil), "DestinationKeyId": id, "DestinationEncryptionAlgorithm": encryption}
	case "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		return m{"KeyId": id, "KeySpec": "AES_128"}
	case "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		return m{"KeyId": id, "KeyPairSpec": "ECC_NIST_EDWARDS25519"}
	case "Sign", "Verify":
		request := m{"KeyId": id, "Message": []byte("x"), "SigningAlgorithm": signing}
		if c.operation == "Verify" && works {
			request["Signature"] = f.do("Sign", request)["Signature"]
		} else if c.operation == "Verify" {
			request["Signature"] = []byte("x")
		}
		return request
	case "GenerateMac", "VerifyMac":
		request := m{"KeyId": id, "Message": []byte("x"), "MacAlgorithm": mac}
		if c.operation == "VerifyMac" && works {
			request["Mac"] = f.do("GenerateMac", request)["Mac"]
		} else if c.operation == "VerifyMac" {
			request["Mac"] = []byte("x")
		}
		return request
	case "DeriveSharedSecret":
		spec := hsm.ECCNistP256
		if algorithm.Agrees(c.spec) {
			spec = c.spec
		}
		return m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer(f, spec)}
	case "Encapsulate":
		return m{"KeyId": id, "EncapsulationAlgorithm": "ML_KEM"}
	case "Decapsulate":
		size := map[hsm.KeySpec]int{hsm.MLKEM512: 768, hsm.MLKEM768: 1088, hsm.MLKEM1024: 1568}[c.spec]
		return m{"KeyId": id, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": make([]byte, max(size, 1))}
	}
	return m{"KeyId": id}
}

// TestMatrix tries every operation on a key with keys of every spec and usage in every
// state. Each cell is a success or exactly one exception, and none is a failure
// of ours.
func TestMatrix(t *testing.T) {
	f := newFixture(t)
	symmetric, _ := f.create(m{})
	operations := append(sorted(needs), sorted(managing)...)
	for _, spec := range algorithm.Specs() {
		id, _ := f.create(m{"KeySpec": spec, "KeyUsage": usagesOf(spec)[0]})
		for _, usage := range usagesOf(spec) {
			for _, s := range keyStates {
				for _, operation := range operations {
					f.edit(id, func(k *state.Key) { k.Usage, k.State = usage, s })
					c := cell{operation, usage, spec, s}
					f.compare(c, c.request(f, id, symmetric))
				}
			}
		}
	}
}

// compare compares one cell.
func (f *fixture) compare(c cell, request m) {
	f.Helper()
	_, err := f.try(c.operation, encode(f, request))
	got := ""
	if e := (*call.Error)(nil); errors.As(err, &e) {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != c.expected() {
		f.Errorf("%s with %s for %s, %s: got %q, want %q", c.operation, c.spec, c.usage, c.state, got, c.expected())
	}
}
