package kms_test

import (
	"reflect"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

// dryRunnable are the operations whose request has a DryRun in the Go SDK.
func dryRunnable() (names []string) {
	client := reflect.TypeFor[*sdk.Client]()
	for i := range client.NumMethod() {
		method := client.Method(i)
		if method.Type.NumIn() < 3 || method.Type.In(2).Kind() != reflect.Pointer {
			continue
		}
		if _, has := method.Type.In(2).Elem().FieldByName("DryRun"); has {
			names = append(names, method.Name)
		}
	}
	return names
}

// TestDryRun: every operation that can be tried without effect says that it would
// succeed and writes nothing but its record, or refuses as it would.
func TestDryRun(t *testing.T) {
	tried := 0
	for _, operation := range dryRunnable() {
		f := newFixture(t)
		if _, served := f.operations[operation]; !served {
			continue
		}
		tried++
		request := f.tryable(operation)
		request["DryRun"] = true
		before := f.node.Store.Status()
		f.refuse(operation, request, dryRun)
		after := f.node.Store.Status()
		if after.LedgerSize != before.LedgerSize+1 || f.event().ErrorCode != "DryRunOperationException" {
			t.Errorf("%s: records %+v", operation, f.event())
		}
		request["DryRun"] = false
		if f.do(operation, request) == nil && operation != "RetireGrant" && operation != "RevokeGrant" {
			t.Errorf("%s answers nothing after its dry run", operation)
		}
	}
	if tried < 10 {
		t.Errorf("only %d operations have a dry run", tried)
	}
}

// tryable answers a request of an operation that has a dry run.
func (f *fixture) tryable(operation string) m {
	f.Helper()
	key := func(spec, usage string) string {
		id, _ := f.create(m{"KeySpec": spec, "KeyUsage": usage})
		return id
	}
	switch operation {
	case "CreateCustomKeyStore":
		return seeds[operation]
	case "ConnectCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore", "DeleteCustomKeyStore", "DescribeCustomKeyStores":
		return f.storeFor(operation)
	case "GenerateMac":
		return m{"KeyId": key("HMAC_256", "GENERATE_VERIFY_MAC"), "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"}
	case "VerifyMac":
		request := f.tryable("GenerateMac")
		request["Mac"] = f.do("GenerateMac", request)["Mac"]
		return request
	case "Sign":
		return m{"KeyId": key("ECC_NIST_P256", "SIGN_VERIFY"), "Message": []byte("x"), "SigningAlgorithm": "ECDSA_SHA_256"}
	case "Verify":
		request := f.tryable("Sign")
		request["Signature"] = f.do("Sign", request)["Signature"]
		return request
	case "DeriveSharedSecret":
		id := key("ECC_NIST_P256", "KEY_AGREEMENT")
		public := f.do("GetPublicKey", m{"KeyId": key("ECC_NIST_P256", "KEY_AGREEMENT")})["PublicKey"]
		return m{"KeyId": id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
	case "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		return m{"KeyId": key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), "KeyPairSpec": "ECC_NIST_P256"}
	case "Encapsulate":
		return m{"KeyId": key("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"), "EncapsulationAlgorithm": "ML_KEM"}
	case "Decapsulate":
		request := f.tryable("Encapsulate")
		request["SharedSecretCiphertextBlob"] = f.do("Encapsulate", request)["SharedSecretCiphertextBlob"]
		return request
	}
	request, _ := f.prepare(operation)
	return request
}
