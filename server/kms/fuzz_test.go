package kms_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/server/call"
)

// FuzzOperations sends arbitrary bodies to every operation. It answers, or
// refuses with an exception; nothing else, and each with one record.
func FuzzOperations(f *testing.F) {
	var names []string
	for name := range newFixture(f).operations {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		f.Add(i, []byte(`{}`))
		body, err := json.Marshal(seeds[name])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, body)
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		x := newFixture(t)
		name := names[uint(which)%uint(len(names))]
		records := len(x.node.RawEvents(t))
		_, err := x.try(name, body)
		var e *call.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%s %q: %v is no exception", name, body, err)
		}
		if n := len(x.node.RawEvents(t)) - records; n != 1 && (e == nil || !decoding(e)) {
			t.Fatalf("%s %q: %d records", name, body, n)
		}
	})
}

// seeds are requests that get far with a key that does not exist.
var seeds = map[string]m{
	"CreateKey": {"Description": "d", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": true,
		"Tags": []m{{"TagKey": "k", "TagValue": "v"}}, "Policy": `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`, "BypassPolicyLockoutSafetyCheck": true},
	"CreateCustomKeyStore": {"CustomKeyStoreName": "n", "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
		"XksProxyUriEndpoint": "https://xks.example.com", "XksProxyUriPath": "/a/kms/xks/v1", "XksProxyAuthenticationCredential": m{
			"AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": strings.Repeat("a", 43)}},
	"UpdateCustomKeyStore":     {"CustomKeyStoreId": "cks-1", "NewCustomKeyStoreName": "n", "CloudHsmClusterId": "cluster-234abcdefgh", "KeyStorePassword": "1234567"},
	"ConnectCustomKeyStore":    {"CustomKeyStoreId": "cks-1"},
	"DisconnectCustomKeyStore": {"CustomKeyStoreId": "cks-1"},
	"DeleteCustomKeyStore":     {"CustomKeyStoreId": "cks-1"},
	"DescribeCustomKeyStores":  {"CustomKeyStoreName": "n", "Limit": 3},
	"CreateAlias":              {"AliasName": "alias/a", "TargetKeyId": absent},
	"CreateGrant": {"KeyId": absent, "GranteePrincipal": account, "Operations": []string{"Decrypt", "CreateGrant"}, "Name": "n",
		"Constraints": m{"EncryptionContextEquals": m{"a": "b"}}, "RetiringPrincipal": "arn:aws:iam::" + account + ":user/x"},
	"ListGrants":                {"KeyId": absent, "GrantId": "x"},
	"ListRetirableGrants":       {"RetiringPrincipal": "arn:aws:iam::" + account + ":root"},
	"RetireGrant":               {"GrantToken": "AQ=="},
	"RevokeGrant":               {"KeyId": absent, "GrantId": "x"},
	"GetParametersForImport":    {"KeyId": absent, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "SM2"},
	"DeleteImportedKeyMaterial": {"KeyId": keyARN(absent), "KeyMaterialId": strings.Repeat("a", 64)},
	"ImportKeyMaterial": {"KeyId": absent, "ImportToken": []byte{0xa0}, "EncryptedKeyMaterial": []byte("x"), "ValidTo": 1.8e9,
		"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "a b"},
	"UpdateAlias":          {"AliasName": "alias/a", "TargetKeyId": keyARN(absent)},
	"DeleteAlias":          {"AliasName": "alias/a"},
	"Encrypt":              {"KeyId": "alias/a", "Plaintext": []byte("x"), "EncryptionContext": m{"a": "b"}, "GrantTokens": []string{"x"}},
	"Decrypt":              {"CiphertextBlob": make([]byte, 120), "DryRun": true, "DryRunModifiers": []string{"IGNORE_CIPHERTEXT"}},
	"ReEncrypt":            {"CiphertextBlob": append([]byte{1, 0}, make([]byte, 120)...), "DestinationKeyId": absent},
	"GenerateDataKey":      {"KeyId": absent, "KeySpec": "AES_256", "Recipient": m{"AttestationDocument": []byte("x")}},
	"EnableKeyRotation":    {"KeyId": absent, "RotationPeriodInDays": 90},
	"ListKeyRotations":     {"KeyId": absent, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 1, "Marker": "eA"},
	"RotateKeyOnDemand":    {"KeyId": absent},
	"ReplicateKey":         {"KeyId": absent, "ReplicaRegion": "us-west-2", "Tags": []m{{"TagKey": "k", "TagValue": "v"}}},
	"UpdatePrimaryRegion":  {"KeyId": absent, "PrimaryRegion": "us-west-2"},
	"GenerateMac":          {"KeyId": absent, "MacAlgorithm": "HMAC_SHA_256", "Message": []byte("x"), "DryRun": true},
	"VerifyMac":            {"KeyId": absent, "MacAlgorithm": "HMAC_SHA_512", "Message": []byte("x"), "Mac": make([]byte, 64)},
	"Sign":                 {"KeyId": absent, "SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST", "Message": make([]byte, 64)},
	"Verify":               {"KeyId": absent, "SigningAlgorithm": "SM2DSA", "Message": []byte("x"), "Signature": []byte("x")},
	"DeriveSharedSecret":   {"KeyId": absent, "KeyAgreementAlgorithm": "ECDH", "PublicKey": []byte("x"), "DryRun": true},
	"Encapsulate":          {"KeyId": absent, "EncapsulationAlgorithm": "ML_KEM"},
	"Decapsulate":          {"KeyId": absent, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": make([]byte, 768)},
	"GenerateDataKeyPair":  {"KeyId": absent, "KeyPairSpec": "ML_KEM_768", "EncryptionContext": m{"a": "b"}},
	"GetPublicKey":         {"KeyId": absent, "GrantTokens": []string{"x"}},
	"GetKeyLastUsage":      {"KeyId": keyARN(absent)},
	"GenerateRandom":       {"NumberOfBytes": 32},
	"ListKeys":             {"Limit": 1, "Marker": "a2V5cyBhYg"},
	"ListAliases":          {"KeyId": absent, "Limit": 100},
	"ListResourceTags":     {"KeyId": absent},
	"PutKeyPolicy":         {"KeyId": absent, "Policy": "{}", "PolicyName": "default"},
	"ScheduleKeyDeletion":  {"KeyId": absent, "PendingWindowInDays": 7},
	"TagResource":          {"KeyId": absent, "Tags": []m{{"TagKey": "aws:", "TagValue": ""}}},
	"UntagResource":        {"KeyId": absent, "TagKeys": []string{"k"}},
	"UpdateKeyDescription": {"KeyId": absent, "Description": ""},
	"DescribeKey":          {"KeyId": "arn:aws:kms:x:y:z"},
}
