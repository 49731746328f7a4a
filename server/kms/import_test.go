package kms_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// TestImport takes one symmetric key through its life.
func TestImport(t *testing.T) {
	f := newFixture(t)
	id, arn := f.external(hsm.SymmetricDefault)
	importing := "KMSInvalidStateException: " + arn + " is pending import."
	if k := f.described(id); k["KeyState"] != "PendingImport" || k["Enabled"] != false || k["Origin"] != "EXTERNAL" ||
		k["ExpirationModel"] != nil || k["CurrentKeyMaterialId"] != nil || k["ValidTo"] != nil {
		t.Errorf("a new key is %v", k)
	}
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, importing)
	f.refuse("EnableKey", m{"KeyId": id}, importing)

	w := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA2048)
	got := f.do("ImportKeyMaterial", w.imports(t, arn, symmetric(1), never()))
	materialID := got.text("KeyMaterialId")
	if len(got) != 2 || got["KeyId"] != arn || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(materialID) {
		t.Errorf("ImportKeyMaterial answers %v", got)
	}
	if k := f.described(id); k["KeyState"] != "Enabled" || k["ExpirationModel"] != "KEY_MATERIAL_DOES_NOT_EXPIRE" ||
		k["CurrentKeyMaterialId"] != materialID || k["ValidTo"] != nil {
		t.Errorf("the key is %v", k)
	}
	blob := f.encrypt(id, "attack at dawn", m{"a": "b"})

	got = f.do("DeleteImportedKeyMaterial", m{"KeyId": id})
	if len(got) != 2 || got["KeyId"] != arn || got["KeyMaterialId"] != materialID {
		t.Errorf("DeleteImportedKeyMaterial answers %v", got)
	}
	if k := f.described(id); k["KeyState"] != "PendingImport" || k["ExpirationModel"] != nil || k["CurrentKeyMaterialId"] != materialID {
		t.Errorf("without material the key is %v", k)
	}
	f.refuse("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": m{"a": "b"}}, importing)
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id}) // without effect

	if again := f.bring(id, symmetric(1), never()); again != materialID {
		t.Errorf("the same material is called %s and %s", materialID, again)
	}
	if got := f.do("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": m{"a": "b"}}); string(got.bytes("Plaintext")) != "attack at dawn" {
		t.Errorf("Decrypt answers %v", got)
	}
	other, _ := f.external(hsm.SymmetricDefault)
	if f.bring(other, symmetric(1), never()) == materialID {
		t.Error("two keys call their material the same")
	}
}

func TestImportRecords(t *testing.T) {
	f := newFixture(t)
	id, arn := f.external(hsm.SymmetricDefault)
	until := start.Add(90 * 24 * time.Hour)
	w := f.wrapping(id, hsm.WrapAESSHA1, hsm.RSA2048)
	if got := f.recorded(requestParameters); got != `{"keyId":"`+id+`","wrappingAlgorithm":"RSA_AES_KEY_WRAP_SHA_1","wrappingKeySpec":"RSA_2048"}` {
		t.Errorf("parameters %s", got)
	}
	if e := f.event(); !e.ReadOnly || f.recorded(responseElements) != "null" || f.resources() != "AWS::KMS::Key "+arn {
		t.Errorf("records %+v", e)
	}
	materialID := f.do("ImportKeyMaterial", w.imports(t, id, symmetric(1), m{
		"ValidTo": until.Unix(), "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "first",
	})).text("KeyMaterialId")
	if got := f.recorded(requestParameters); got != `{"expirationModel":"KEY_MATERIAL_EXPIRES","importType":"NEW_KEY_MATERIAL",`+
		`"keyId":"`+id+`","keyMaterialDescription":"first","validTo":"Nov 8, 2026, 10:38:27 PM"}` {
		t.Errorf("parameters %s", got)
	}
	elements := `{"keyId":"` + arn + `","keyMaterialId":"` + materialID + `"}`
	if e := f.event(); e.ReadOnly || f.recorded(responseElements) != elements || f.resources() != "AWS::KMS::Key "+arn {
		t.Errorf("records %+v", e)
	}
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": materialID})
	if e := f.event(); e.ReadOnly || f.recorded(responseElements) != elements ||
		f.recorded(requestParameters) != `{"keyId":"`+id+`","keyMaterialId":"`+materialID+`"}` {
		t.Errorf("records %+v", e)
	}
}

// TestSeveralMaterials rotates a key whose material is imported.
func TestSeveralMaterials(t *testing.T) {
	f := newFixture(t)
	id, arn := f.external(hsm.SymmetricDefault)
	first := f.bring(id, symmetric(1), m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "KeyMaterialDescription": "one"})
	old := f.encrypt(id, "old", nil)
	f.refuse("RotateKeyOnDemand", m{"KeyId": id},
		"KMSInvalidStateException: No available key material pending rotation for the key: "+arn+".")
	fresh := m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL"}
	second := f.bring(id, symmetric(2), fresh)
	if k := f.described(id); k["CurrentKeyMaterialId"] != first || k["KeyState"] != "Enabled" {
		t.Errorf("before the rotation the key is %v", k)
	}
	w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(2), fresh), "IncorrectKeyMaterialException")
	request := w.imports(t, id, symmetric(3), fresh)
	_, err := f.try("ImportKeyMaterial", encode(t, request))
	want := regexp.MustCompile(`^KMSInvalidStateException: New key material \(id: [0-9a-f]{64}\) cannot be imported into KMS key ` + arn +
		`, because another key material \(id: ` + second + `\) is pending rotation\.$`)
	if err == nil || !want.MatchString(err.Error()) {
		t.Errorf("a second pending material: %v", err)
	}
	f.do("RotateKeyOnDemand", m{"KeyId": id})
	if k := f.described(id); k["CurrentKeyMaterialId"] != second {
		t.Errorf("after the rotation the key is %v", k)
	}
	recent := f.encrypt(id, "new", nil)
	for blob, plaintext := range map[string]string{old: "old", recent: "new"} {
		if got := f.do("Decrypt", m{"CiphertextBlob": blob}); string(got.bytes("Plaintext")) != plaintext {
			t.Errorf("Decrypt answers %v", got)
		}
	}
	// Without any one of them the key is pending import.
	for i, material := range []string{first, second} {
		f.do("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": material})
		if k := f.described(id); k["KeyState"] != "PendingImport" || k["CurrentKeyMaterialId"] != second {
			t.Errorf("without material %d the key is %v", i+1, k)
		}
		f.bring(id, symmetric(byte(i+1)), m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "KeyMaterialId": material})
		if got := f.do("Decrypt", m{"CiphertextBlob": old}); got["KeyMaterialId"] != first {
			t.Errorf("Decrypt answers %v", got)
		}
	}
	list := f.do("ListKeyRotations", m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}).list("Rotations")
	if len(list) != 2 || list[0].(map[string]any)["KeyMaterialDescription"] != "one" ||
		list[0].(map[string]any)["KeyMaterialState"] != "NON_CURRENT" || list[1].(map[string]any)["KeyMaterialState"] != "CURRENT" {
		t.Errorf("the materials are %v", list)
	}
}

// TestPendingMaterialIsNotTheKeys: what was imported for the next rotation can be
// deleted, and something else be imported in its place.
func TestPendingMaterialIsNotTheKeys(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.SymmetricDefault)
	f.bring(id, symmetric(1), never())
	fresh := m{"ValidTo": start.Add(time.Hour).Unix(), "ImportType": "NEW_KEY_MATERIAL"}
	second := f.bring(id, symmetric(2), fresh)
	if k := f.described(id); k["ExpirationModel"] != "KEY_MATERIAL_DOES_NOT_EXPIRE" || f.expirations() != 1 {
		t.Errorf("the key is %v, %d materials expire", k, f.expirations())
	}
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": second})
	if k := f.described(id); k["KeyState"] != "Enabled" || f.expirations() != 0 {
		t.Errorf("the key is %v, %d materials expire", k, f.expirations())
	}
	f.bring(id, symmetric(3), fresh)
	f.do("RotateKeyOnDemand", m{"KeyId": id})
	if k := f.described(id); k["ExpirationModel"] != "KEY_MATERIAL_EXPIRES" || k["ValidTo"] != float64(start.Add(time.Hour).Unix()) {
		t.Errorf("the key is %v", k)
	}
}

// TestValidTo: of several expiries the first is the key's, and importing again
// changes it.
func TestValidTo(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.SymmetricDefault)
	for _, hours := range []int{5, 3, 0, 8760} {
		more := m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
		var want any
		if hours > 0 {
			until := start.Add(time.Duration(hours) * time.Hour).Unix()
			more, want = m{"ValidTo": until}, float64(until)
		}
		f.bring(id, symmetric(1), more)
		if k := f.described(id); k["ValidTo"] != want || f.expirations() != min(hours, 1) {
			t.Errorf("%d hours: the key is %v, %d materials expire", hours, k, f.expirations())
		}
	}
	f.do("ScheduleKeyDeletion", m{"KeyId": id})
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id})
	if k := f.described(id); k["KeyState"] != "PendingDeletion" || f.expirations() != 0 {
		t.Errorf("the key is %v, %d materials expire", k, f.expirations())
	}
	f.do("CancelKeyDeletion", m{"KeyId": id})
	if k := f.described(id); k["KeyState"] != "PendingImport" {
		t.Errorf("the key is %v", k)
	}
}

func TestImportRefusals(t *testing.T) {
	f := newFixture(t)
	id, arn := f.external(hsm.SymmetricDefault)
	own, ownARN := f.create(m{})
	w := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA2048)
	request := func(more m) m { return w.imports(t, id, symmetric(1), more) }
	refuse := func(more m, want string) {
		t.Helper()
		f.refuse("ImportKeyMaterial", request(more), want)
	}
	refuse(nil, "ValidationException: A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	refuse(m{"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
		"ValidationException: A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	refuse(m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": start.Add(time.Hour).Unix()}, "ValidationException: The parameter "+
		"ValidTo cannot be specified for a key with an expiration model of KEY_MATERIAL_DOES_NOT_EXPIRE")
	refuse(m{"ValidTo": start.Unix()}, "ValidationException: ValidTo must be in the future")
	refuse(m{"ValidTo": start.Add(366 * 24 * time.Hour).Unix()}, "ValidationException: ValidTo must not be more than 365 days in the future")
	refuse(m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": strings.Repeat("a", 64)},
		"ValidationException: KeyMaterialId cannot be specified with an ImportType of NEW_KEY_MATERIAL")
	refuse(m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "EXISTING_KEY_MATERIAL"}, "IncorrectKeyMaterialException")
	refuse(m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "KeyMaterialId": strings.Repeat("a", 64)}, "IncorrectKeyMaterialException")
	short := request(never())
	short["EncryptedKeyMaterial"] = make([]byte, 255)
	f.refuse("ImportKeyMaterial", short, "ValidationException: Invalid encrypted key size.")
	short["EncryptedKeyMaterial"] = make([]byte, 256)
	f.refuse("ImportKeyMaterial", short, "InvalidCiphertextException")
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(1)[:31], never()), "IncorrectKeyMaterialException")
	f.refuse("ImportKeyMaterial", w.imports(t, id, make([]byte, 33), never()), "IncorrectKeyMaterialException")
	origin := "UnsupportedOperationException: " + ownARN + " origin is AWS_KMS which is not valid for this operation."
	f.refuse("ImportKeyMaterial", w.imports(t, own, symmetric(1), never()), origin)
	f.refuse("DeleteImportedKeyMaterial", m{"KeyId": own}, origin)
	f.refuse("GetParametersForImport", m{"KeyId": own, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}, origin)
	if got := f.do("DeleteImportedKeyMaterial", m{"KeyId": id}); len(got) != 1 || got["KeyId"] != arn {
		t.Errorf("deleting nothing answers %v", got)
	}
	f.do("ImportKeyMaterial", request(never()))
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(2), never()), "IncorrectKeyMaterialException")
	f.refuse("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": strings.Repeat("a", 64)},
		"NotFoundException: Key material '"+strings.Repeat("a", 64)+"' does not exist in "+arn)
	f.refuse("EnableKeyRotation", m{"KeyId": id}, "UnsupportedOperationException: "+arn+" origin is EXTERNAL which is not valid for this operation.")
	if k := f.described(id); k["KeyState"] != "Enabled" {
		t.Errorf("the key is %v", k)
	}
}

// TestWrappingAlgorithms: what goes with what, and what is refused though the
// model has it.
func TestWrappingAlgorithms(t *testing.T) {
	f := newFixture(t)
	aes, _ := f.external(hsm.SymmetricDefault)
	rsa, _ := f.external(hsm.RSA2048)
	p521, _ := f.external(hsm.ECCNistP521)
	refuse := func(id, algorithm, spec, want string) {
		t.Helper()
		f.refuse("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}, want)
	}
	refuse(aes, "RSAES_PKCS1_V1_5", "RSA_2048", "UnsupportedOperationException: The wrapping algorithm RSAES_PKCS1_V1_5 is no longer supported.")
	refuse(aes, "SM2PKE", "RSA_2048", "ValidationException: WrappingAlgorithm SM2PKE is not compatible with WrappingKeySpec RSA_2048")
	refuse(aes, "RSAES_OAEP_SHA_1", "SM2", "ValidationException: WrappingAlgorithm RSAES_OAEP_SHA_1 is not compatible with WrappingKeySpec SM2")
	refuse(rsa, "RSAES_OAEP_SHA_256", "RSA_4096", "ValidationException: Key material of the key spec RSA_2048 cannot be wrapped with "+
		"RSAES_OAEP_SHA_256 by a wrapping key of the key spec RSA_4096")
	refuse(p521, "RSAES_OAEP_SHA_1", "RSA_2048", "ValidationException: Key material of the key spec ECC_NIST_P521 cannot be wrapped with "+
		"RSAES_OAEP_SHA_1 by a wrapping key of the key spec RSA_2048")
	refuse(aes, "RSAES_OAEP_SHA_256", "RSA_1024", "ValidationException: 1 validation error detected: Value 'RSA_1024' at 'wrappingKeySpec' "+
		"failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, SM2]")
	for _, spec := range []string{"ML_DSA_65", "ML_KEM_768"} {
		usage := map[string]string{"ML_DSA_65": "SIGN_VERIFY", "ML_KEM_768": "ENCAPSULATE_DECAPSULATE"}[spec]
		f.refuse("CreateKey", m{"Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": usage},
			"UnsupportedOperationException: Key material of the key spec "+spec+" cannot be imported.")
	}
}

// TestImportTokens: a token is good for its key, for a day, and as it was given.
func TestImportTokens(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.SymmetricDefault)
	other, _ := f.external(hsm.SymmetricDefault)
	got := f.do("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
	if got["KeyId"] != keyARN(id) || got["ParametersValidTo"] != float64(start.Add(24*time.Hour).UnixMilli())/1000 {
		t.Errorf("GetParametersForImport answers %v", got)
	}
	w := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA2048)
	f.refuse("ImportKeyMaterial", w.imports(t, other, symmetric(1), never()), "InvalidImportTokenException")
	for i := 0; i < len(w.token); i += 97 {
		altered := *w
		altered.token = append([]byte(nil), w.token...)
		altered.token[i] ^= 1
		f.refuse("ImportKeyMaterial", altered.imports(t, id, symmetric(1), never()), "InvalidImportTokenException")
	}
	for _, token := range [][]byte{{0}, []byte("token"), w.token[:len(w.token)-1], append(w.token[:len(w.token):len(w.token)], 0)} {
		altered := *w
		altered.token = token
		f.refuse("ImportKeyMaterial", altered.imports(t, id, symmetric(1), never()), "InvalidImportTokenException")
	}
	crossed := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA2048)
	crossed.token = w.token
	f.refuse("ImportKeyMaterial", crossed.imports(t, id, symmetric(1), never()), "InvalidCiphertextException")

	f.now = start.Add(24*time.Hour - time.Millisecond)
	for range 2 { // it can be used again
		f.do("ImportKeyMaterial", w.imports(t, id, symmetric(1), never()))
	}
	f.now = start.Add(24 * time.Hour)
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(1), never()), "ExpiredImportTokenException")
}

// TestTokensFit: the largest wrapping key has a token that the model allows.
func TestTokensFit(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.SymmetricDefault)
	w := f.wrapping(id, hsm.WrapOAEPSHA256, hsm.RSA4096)
	if len(w.token) > 6144 {
		t.Errorf("a token of %d bytes", len(w.token))
	}
	f.do("ImportKeyMaterial", w.imports(t, id, symmetric(1), never()))
}

// TestGetParametersForImportWritesNothing: it reads, as its record says.
func TestGetParametersForImportWritesNothing(t *testing.T) {
	f := newFixture(t)
	id, _ := f.external(hsm.SymmetricDefault)
	commits := f.begin("DescribeKey", m{"KeyId": id})
	f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	if !commits() {
		t.Error("GetParametersForImport changes the key")
	}
}
