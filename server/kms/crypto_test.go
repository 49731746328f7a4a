package kms_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

func TestEncryptAndDecrypt(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	material := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
	for _, name := range []string{id, arn, "alias/a", aliasARN("alias/a")} {
		got := f.do("Encrypt", m{"KeyId": name, "Plaintext": []byte("secret"), "EncryptionContext": m{"b": "2", "a": "<é\u2028\">"}})
		if got.text("KeyId") != arn || got.text("EncryptionAlgorithm") != "SYMMETRIC_DEFAULT" || got["KeyMaterialId"] != nil {
			t.Errorf("Encrypt answers %v", got)
		}
		want := `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"a":"\u003cé\u2028\"\u003e","b":"2"},"keyId":"` + name + `"}`
		if p := f.recorded(requestParameters); p != want {
			t.Errorf("Encrypt records %s, want %s", p, want)
		}
		for _, request := range []m{{}, {"KeyId": name}, {"EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}} {
			request["CiphertextBlob"], request["EncryptionContext"] = got["CiphertextBlob"], m{"a": "<é\u2028\">", "b": "2"}
			plain := f.do("Decrypt", request)
			if string(plain.bytes("Plaintext")) != "secret" || plain.text("KeyId") != arn ||
				plain.text("EncryptionAlgorithm") != "SYMMETRIC_DEFAULT" || plain.text("KeyMaterialId") != material {
				t.Errorf("Decrypt answers %v", plain)
			}
			if f.resources() != "AWS::KMS::Key "+arn {
				t.Errorf("Decrypt records the resources %s", f.resources())
			}
			if a := f.recorded(additional); a != `{"keyMaterialId":"`+material+`"}` {
				t.Errorf("Decrypt records %s", a)
			}
			if e := f.event(); !e.ReadOnly || e.ResponseElements != nil {
				t.Errorf("Decrypt records %+v", e)
			}
		}
	}
}

func TestEncryptRefusals(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	text := []byte("x")
	f.refuse("Encrypt", m{}, "ValidationException: 2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: "+
		"Member must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null")
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": make([]byte, 4097)},
		"ValidationException: 1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "+
			"Member must have length less than or equal to 4096")
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": text, "EncryptionContext": m{"a": strings.Repeat("x", 8192)}},
		"ValidationException: The encryption context must not be larger than 8192 bytes.")
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": text, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
		"InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.")
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": text, "DryRun": true},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	if p := f.recorded(requestParameters); !strings.Contains(p, `"dryRun":true`) {
		t.Errorf("a dry run records %s", p)
	}
	f.do("DisableKey", m{"KeyId": id})
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": text, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
		"DisabledException: "+arn+" is disabled.") // disabled beats unsuitable
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": text, "DryRun": true}, "DisabledException: "+arn+" is disabled.")
	f.refuseBody("Encrypt", []byte(`{"KeyId":1}`), "SerializationException: NUMBER_VALUE can not be converted to a String")
	f.refuseBody("Encrypt", []byte(`{"KeyId":"x"`), "SerializationException")
}

func TestDecryptRefusals(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	other, otherARN := f.create(m{})
	blob := f.encrypt(id, "secret", m{"a": "1"})
	const incorrect = "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation."
	const unknown = "AccessDeniedException: The ciphertext refers to a customer master key that does not exist, " +
		"does not exist in this region, or you are not allowed to access."
	missing := "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: " +
		"Member must not be null"
	context := m{"a": "1"}
	f.refuse("Decrypt", m{}, missing)
	f.refuse("Decrypt", m{"DryRun": true}, missing)
	f.refuse("Decrypt", m{"DryRunModifiers": []string{"IGNORE_CIPHERTEXT"}, "KeyId": id}, missing)
	for _, wrong := range []m{nil, {"a": "2"}, {"A": "1"}, {"a": "1", "b": ""}} {
		f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": wrong}, "InvalidCiphertextException")
	}
	f.refuse("Decrypt", m{"CiphertextBlob": []byte("garbage"), "KeyId": id}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"CiphertextBlob": []byte("garbage")}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"CiphertextBlob": []byte("garbage"), "KeyId": absent},
		"NotFoundException: Key '"+keyARN(absent)+"' does not exist")
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": other}, incorrect)
	if f.resources() != "AWS::KMS::Key "+otherARN || !strings.Contains(f.recorded(requestParameters), other) {
		t.Errorf("a refusal records %s, %s", f.resources(), f.recorded(requestParameters))
	}
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
		"ValidationException: EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
		"InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.")
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context, "Recipient": m{}},
		"UnsupportedOperationException: The Recipient parameter is not supported: attestation documents are not verified.")
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context, "DryRun": true},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "DryRun": true}, "InvalidCiphertextException")
	f.refuse("Decrypt", m{"KeyId": id, "DryRun": true, "DryRunModifiers": []string{"IGNORE_CIPHERTEXT"}},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	f.refuse("Decrypt", m{"DryRun": true, "DryRunModifiers": []string{"IGNORE_CIPHERTEXT"}},
		"ValidationException: You must specify the KMS key when DryRunModifiers is IGNORE_CIPHERTEXT.")

	f.region = "us-west-2" // the key is not in this Region
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context}, unknown)
	f.region, f.account = region, foreign
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context}, unknown)
	if e := f.event(); e.ErrorCode != "AccessDenied" || e.RequestParameters != nil || e.Resources != nil || e.RecipientAccountID != foreign {
		t.Errorf("a denial records %+v", e)
	}
	f.account = account
	f.do("DisableKey", m{"KeyId": id})
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": context}, "DisabledException: "+arn+" is disabled.")
}

func TestReEncrypt(t *testing.T) {
	f := newFixture(t)
	from, fromARN := f.create(m{})
	to, toARN := f.create(m{})
	blob := f.encrypt(from, "secret", m{"a": "1"})
	got := f.do("ReEncrypt", m{"CiphertextBlob": blob, "SourceEncryptionContext": m{"a": "1"}, "DestinationKeyId": to,
		"DestinationEncryptionContext": m{"b": "2"}})
	if got.text("KeyId") != toARN || got.text("SourceKeyId") != fromARN || len(got.text("SourceKeyMaterialId")) != 64 ||
		len(got.text("DestinationKeyMaterialId")) != 64 || got.text("SourceKeyMaterialId") == got.text("DestinationKeyMaterialId") ||
		got.text("SourceEncryptionAlgorithm") != "SYMMETRIC_DEFAULT" || got.text("DestinationEncryptionAlgorithm") != "SYMMETRIC_DEFAULT" {
		t.Errorf("ReEncrypt answers %v", got)
	}
	if f.resources() != "AWS::KMS::Key "+fromARN+"\nAWS::KMS::Key "+toARN {
		t.Errorf("ReEncrypt records the resources %s", f.resources())
	}
	want := `{"destinationEncryptionAlgorithm":"SYMMETRIC_DEFAULT","destinationEncryptionContext":{"b":"2"},"destinationKeyId":"` + to +
		`","sourceEncryptionAlgorithm":"SYMMETRIC_DEFAULT","sourceEncryptionContext":{"a":"1"}}`
	if p := f.recorded(requestParameters); p != want {
		t.Errorf("ReEncrypt records %s", p)
	}
	plain := f.do("Decrypt", m{"CiphertextBlob": got["CiphertextBlob"], "EncryptionContext": m{"b": "2"}, "KeyId": to})
	if string(plain.bytes("Plaintext")) != "secret" {
		t.Errorf("Decrypt answers %v", plain)
	}
	request := m{"CiphertextBlob": blob, "SourceEncryptionContext": m{"a": "1"}, "DestinationKeyId": to}
	with := func(name string, value any) m {
		changed := m{name: value}
		for k, v := range request {
			if k != name {
				changed[k] = v
			}
		}
		return changed
	}
	f.refuse("ReEncrypt", with("SourceEncryptionContext", m{}), "InvalidCiphertextException")
	f.refuse("ReEncrypt", with("SourceKeyId", to),
		"IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.")
	f.refuse("ReEncrypt", with("DestinationKeyId", absent), "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
	theirs := strings.Replace(toARN, account, foreign, 1)
	f.refuse("ReEncrypt", with("SourceKeyId", theirs), deniedTo("ReEncryptFrom"))
	f.refuse("ReEncrypt", with("DestinationKeyId", theirs), deniedTo("ReEncryptTo"))
	f.refuse("ReEncrypt", with("DestinationEncryptionAlgorithm", "SM2PKE"),
		"InvalidKeyUsageException: Algorithm SM2PKE is incompatible with key spec SYMMETRIC_DEFAULT.")
	f.refuse("ReEncrypt", with("DestinationEncryptionContext", m{"a": strings.Repeat("x", 8192)}),
		"ValidationException: The encryption context must not be larger than 8192 bytes.")
	f.refuse("ReEncrypt", with("DryRun", true),
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	f.do("DisableKey", m{"KeyId": to})
	f.refuse("ReEncrypt", request, "DisabledException: "+toARN+" is disabled.")
	f.do("EnableKey", m{"KeyId": to})
	f.do("DisableKey", m{"KeyId": from})
	f.refuse("ReEncrypt", request, "DisabledException: "+fromARN+" is disabled.")
}

func TestDataKeys(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	for _, test := range []struct {
		name  string
		value any
		size  int
	}{{"KeySpec", "AES_128", 16}, {"KeySpec", "AES_256", 32}, {"NumberOfBytes", 1, 1}, {"NumberOfBytes", 1024, 1024}} {
		for _, operation := range []string{"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"} {
			got := f.do(operation, m{"KeyId": arn, test.name: test.value, "EncryptionContext": m{"a": "1"}})
			_, shown := got["Plaintext"]
			if shown != (operation == "GenerateDataKey") || got.text("KeyId") != arn || len(got.text("KeyMaterialId")) != 64 {
				t.Errorf("%s answers %v", operation, got)
			}
			plain := f.do("Decrypt", m{"CiphertextBlob": got["CiphertextBlob"], "EncryptionContext": m{"a": "1"}}).bytes("Plaintext")
			if len(plain) != test.size || shown && string(plain) != string(got.bytes("Plaintext")) {
				t.Errorf("%s of %v: decrypts to %d bytes", operation, test.value, len(plain))
			}
		}
	}
	f.do("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256"})
	if p := f.recorded(requestParameters); p != `{"keyId":"`+id+`","keySpec":"AES_256"}` {
		t.Errorf("GenerateDataKey records %s", p)
	}
	f.do("GenerateDataKey", m{"KeyId": id, "NumberOfBytes": 64})
	if p := f.recorded(requestParameters); p != `{"keyId":"`+id+`","numberOfBytes":64}` {
		t.Errorf("GenerateDataKey records %s", p)
	}
	const size = "ValidationException: Please specify either number of bytes or key spec."
	f.refuse("GenerateDataKey", m{"KeyId": id}, size)
	f.refuse("GenerateDataKeyWithoutPlaintext", m{"KeyId": id, "KeySpec": "AES_256", "NumberOfBytes": 32}, size)
	f.refuse("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256", "DryRun": true},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	f.refuse("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256", "Recipient": m{"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}},
		"UnsupportedOperationException: The Recipient parameter is not supported: attestation documents are not verified.")
}

func TestGenerateRandom(t *testing.T) {
	f := newFixture(t)
	for _, n := range []int{1, 1024} {
		if got := f.do("GenerateRandom", m{"NumberOfBytes": n}).bytes("Plaintext"); len(got) != n {
			t.Errorf("%d bytes are %d", n, len(got))
		}
	}
	if e := f.node.RawEvents(t)[0]; !strings.Contains(e, `"requestParameters":null`) || !strings.Contains(e, `"resources":[]`) {
		t.Errorf("GenerateRandom records %s", e)
	}
	f.refuse("GenerateRandom", m{}, "ValidationException: NumberOfBytes is required.")
	f.refuse("GenerateRandom", m{"NumberOfBytes": 1025}, "ValidationException: 1 validation error detected: Value '1025' at "+
		"'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024")
	f.refuse("GenerateRandom", m{"NumberOfBytes": 1, "CustomKeyStoreId": "cks-1"},
		"CustomKeyStoreNotFoundException: The custom key store cks-1 does not exist.")
	f.refuse("GenerateRandom", m{"NumberOfBytes": 1, "Recipient": m{"AttestationDocument": base64.StdEncoding.EncodeToString([]byte("x"))}},
		"UnsupportedOperationException: The Recipient parameter is not supported: attestation documents are not verified.")
}

// TestOtherKeys uses keys of kinds that are not made yet.
func TestOtherKeys(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	other, _ := f.create(m{})
	blob := f.encrypt(other, "x", nil)
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": other})
	f.edit(id, func(k *state.Key) { k.Usage, k.Spec = "SIGN_VERIFY", "RSA_2048" })
	for operation, request := range map[string]m{"Encrypt": plaintext(f, id, ""), "GenerateDataKey": dataKey(f, id, ""),
		"ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": id}} {
		f.refuse(operation, request, "InvalidKeyUsageException: "+arn+" key usage is SIGN_VERIFY which is not valid for "+operation+".")
	}
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "KeyId": id},
		"IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.")
	f.refuse("UpdateAlias", m{"AliasName": "alias/a", "TargetKeyId": id},
		"ValidationException: The current and new KMS keys of alias/a must be of the same type and have the same key usage.")
	described := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
	if described["CurrentKeyMaterialId"] != nil || described["EncryptionAlgorithms"] != nil {
		t.Errorf("DescribeKey answers %v", described)
	}
}

// TestMissingMaterial: a key whose material is gone is a failure, and recorded.
func TestMissingMaterial(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	f.edit(id, func(k *state.Key) { k.MaterialID = strings.Repeat("0", 64) })
	_, err := f.try("Encrypt", encode(t, plaintext(f, id, "")))
	var e *call.Error
	if !errors.As(err, &e) || e.Code != "KMSInternalException" || e.Status != 500 || f.event().ErrorCode != e.Code {
		t.Errorf("got %v, recorded %v", err, f.event().ErrorCode)
	}
}
