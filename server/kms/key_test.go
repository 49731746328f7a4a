package kms_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/state"
)

func TestCreateKey(t *testing.T) {
	f := newFixture(t)
	got := f.do("CreateKey", m{"Description": "d", "Tags": []m{{"TagKey": "k", "TagValue": ""}}}).object("KeyMetadata")
	id := got.text("KeyId")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("key id %q", id)
	}
	material := got.text("CurrentKeyMaterialId")
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(material) {
		t.Errorf("key material id %q", material)
	}
	want := answer{
		"AWSAccountId": account, "KeyId": id, "Arn": keyARN(id), "CreationDate": 1786401507.123, "Enabled": true,
		"Description": "d", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
		"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT",
		"EncryptionAlgorithms": []any{"SYMMETRIC_DEFAULT"}, "MultiRegion": false, "CurrentKeyMaterialId": material,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if described := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata"); fmt.Sprint(described) != fmt.Sprint(want) {
		t.Errorf("DescribeKey answers %v", described)
	}
}

func TestCreateKeyRecord(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}})
	want := `{"bypassPolicyLockoutSafetyCheck":false,"customerMasterKeySpec":"SYMMETRIC_DEFAULT","description":"",` +
		`"keySpec":"SYMMETRIC_DEFAULT","keyUsage":"ENCRYPT_DECRYPT","multiRegion":false,"origin":"AWS_KMS",` +
		`"tags":[{"tagKey":"k","tagValue":"v"}]}`
	if p := f.recorded(requestParameters); p != want {
		t.Errorf("parameters %s", p)
	}
	elements := f.recorded(responseElements)
	for _, part := range []string{`{"keyMetadata":{"aWSAccountId":"` + account + `"`, `"arn":"` + arn + `"`, `"keyId":"` + id + `"`,
		`"creationDate":"Aug 10, 2026, 10:38:27 PM"`, `"enabled":true`, `"keyState":"Enabled"`, `"keyManager":"CUSTOMER"`} {
		if !strings.Contains(elements, part) {
			t.Errorf("%s is not in %s", part, elements)
		}
	}
	if e := f.event(); e.ReadOnly || f.resources() != "AWS::KMS::Key "+arn {
		t.Errorf("records %+v", e)
	}
}

func TestCreateMultiRegionKey(t *testing.T) {
	f := newFixture(t)
	got := f.do("CreateKey", m{"MultiRegion": true}).object("KeyMetadata")
	id := got.text("KeyId")
	if !regexp.MustCompile(`^mrk-[0-9a-f]{32}$`).MatchString(id) || got["MultiRegion"] != true {
		t.Errorf("got %v", got)
	}
	want := m{"MultiRegionKeyType": "PRIMARY", "PrimaryKey": m{"Arn": keyARN(id), "Region": region}, "ReplicaKeys": []any{}}
	if c := got["MultiRegionConfiguration"]; fmt.Sprint(c) != fmt.Sprint(want) {
		t.Errorf("configuration %v", c)
	}
	if plain := f.do("Decrypt", m{"CiphertextBlob": f.encrypt(id, "x", nil)}); string(plain.bytes("Plaintext")) != "x" {
		t.Errorf("Decrypt answers %v", plain)
	}
}

func TestCreateKeyRefusals(t *testing.T) {
	f := newFixture(t)
	usage := "ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
	f.refuse("CreateKey", m{"KeySpec": "HMAC_256"}, usage)
	f.refuse("CreateKey", m{"CustomerMasterKeySpec": "RSA_2048"}, usage)
	f.refuse("CreateKey", m{"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"},
		"ValidationException: KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048")
	f.refuse("CreateKey", m{"KeyUsage": "SIGN_VERIFY"},
		"ValidationException: KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT")
	f.refuse("CreateKey", m{"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"},
		"ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	f.hsm.Specs = []hsm.KeySpec{hsm.SymmetricDefault, hsm.ECCNistP256}
	for spec, usage := range map[string]string{
		"RSA_2048": "SIGN_VERIFY", "ECC_NIST_P384": "KEY_AGREEMENT", "HMAC_224": "GENERATE_VERIFY_MAC", "SM2": "ENCRYPT_DECRYPT",
		"ML_DSA_44": "SIGN_VERIFY", "ML_KEM_768": "ENCAPSULATE_DECAPSULATE", "ECC_NIST_EDWARDS25519": "SIGN_VERIFY",
	} {
		f.refuse("CreateKey", m{"KeySpec": spec, "KeyUsage": usage},
			"UnsupportedOperationException: No HSM partition makes keys of the key spec "+spec+".")
	}
	f.refuse("CreateKey", m{"KeySpec": "AES_256"}, "ValidationException: 1 validation error detected: Value 'AES_256' at 'keySpec' "+
		"failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, "+
		"ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, "+
		"ML_DSA_87, ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024]")
	f.refuse("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE"}, "ValidationException: You must specify XksKeyId when Origin is EXTERNAL_KEY_STORE.")
	f.refuse("CreateKey", m{"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1"},
		"CustomKeyStoreNotFoundException: The custom key store cks-1 does not exist.")
	f.refuse("CreateKey", m{"XksKeyId": "x"}, "ValidationException: XksKeyId is valid only with an Origin of EXTERNAL_KEY_STORE.")
	f.refuse("CreateKey", m{"Policy": "{}"}, malformed+"Syntax errors in policy. (Statement is neither a statement nor a list of them)")
	f.refuse("CreateKey", m{"Tags": []m{{"TagKey": "AWS:x", "TagValue": ""}}}, "TagException: Tags beginning with aws: are reserved")
	if keys := f.do("ListKeys", m{}).list("Keys"); len(keys) != 0 {
		t.Errorf("refused creations left %v", keys)
	}
}

// deniedTo is the answer to who takes an action with a key of another account.
func deniedTo(action string) string {
	return "AccessDeniedException: User: arn:aws:iam::" + account + ":user/admin is not authorized to perform: kms:" + action +
		" on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a " +
		"resource-based policy explicitly denies access"
}

// TestReferences names keys in every way, to operations that accept aliases and
// to those that do not.
func TestReferences(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": arn})
	for _, name := range []string{id, arn, "alias/a", aliasARN("alias/a")} {
		if got := f.do("DescribeKey", m{"KeyId": name}).object("KeyMetadata").text("Arn"); got != arn {
			t.Errorf("%s is %s", name, got)
		}
	}
	for _, name := range []string{"alias/a", aliasARN("alias/a"), "alias/b"} {
		f.refuse("DisableKey", m{"KeyId": name}, "NotFoundException: Invalid keyId '"+name+"'")
	}
	denied := deniedTo("DescribeKey")
	for name, want := range map[string]string{
		"fake-key-id":                      "NotFoundException: Invalid keyId 'fake-key-id'",
		"134f2428cec14b25a1ae9048164dba47": "NotFoundException: Invalid keyId '134f2428cec14b25a1ae9048164dba47'",
		"mrk-fake-key-id":                  "NotFoundException: Invalid keyId 'mrk-fake-key-id'",
		"alias/my:alias":                   "NotFoundException: Invalid keyId 'alias/my:alias'",
		absent:                             "NotFoundException: Key '" + keyARN(absent) + "' does not exist",
		keyARN(absent):                     "NotFoundException: Key '" + keyARN(absent) + "' does not exist",
		"mrk-" + strings.Repeat("0123", 8): "NotFoundException: Key '" + keyARN("mrk-"+strings.Repeat("0123", 8)) + "' does not exist",
		"alias/none":                       "NotFoundException: Alias " + aliasARN("alias/none") + " is not found.",
		aliasARN("alias/aws/x0"):           "NotFoundException: Alias " + aliasARN("alias/aws/x0") + " is not found.",
		strings.Replace(arn, region, "us-west-2", 1):              "NotFoundException: Invalid arn us-west-2",
		"arn:aws:iam::" + account + ":user/x":                     "InvalidArnException: Invalid arn arn:aws:iam::" + account + ":user/x",
		"arn:aws:kms:x":                                           "InvalidArnException: Invalid arn arn:aws:kms:x",
		keyARN("x"):                                               "NotFoundException: Invalid keyId '" + keyARN("x") + "'",
		strings.Replace(arn, ":key/", ":grant/", 1):               "InvalidArnException: Invalid arn " + strings.Replace(arn, ":key/", ":grant/", 1),
		strings.Replace(arn, account, "1", 1):                     "InvalidArnException: Invalid arn " + strings.Replace(arn, account, "1", 1),
		strings.Replace(arn, account, foreign, 1):                 denied,
		strings.Replace(keyARN(absent), account, foreign, 1):      denied,
		strings.Replace(aliasARN("alias/a"), account, foreign, 1): denied,
	} {
		f.refuse("DescribeKey", m{"KeyId": name}, want)
		if e := f.event(); want == denied && (e.ErrorCode != "AccessDenied" || e.RequestParameters != nil || e.Resources != nil) {
			t.Errorf("%s: records %+v", name, e)
		}
	}
	f.account = foreign // the id alone is of the caller's own account
	f.refuse("DescribeKey", m{"KeyId": id}, "NotFoundException: Key '"+strings.Replace(arn, account, foreign, 1)+"' does not exist")
}

func TestEnableAndDisable(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	for _, step := range []struct{ operation, state string }{
		{"DisableKey", "Disabled"}, {"DisableKey", "Disabled"}, {"EnableKey", "Enabled"}, {"EnableKey", "Enabled"},
	} {
		if got := f.do(step.operation, m{"KeyId": id}); got != nil {
			t.Errorf("%s answers %v", step.operation, got)
		}
		if f.recorded(requestParameters) != `{"keyId":"`+id+`"}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
			t.Errorf("%s records %+v", step.operation, f.event())
		}
		got := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
		if got["KeyState"] != step.state || got["Enabled"] != (step.state == "Enabled") {
			t.Errorf("after %s: %v", step.operation, got)
		}
	}
}

func TestScheduleAndCancelDeletion(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	window := "ValidationException: PendingWindowInDays must be between 7 and 30"
	for _, days := range []int{1, 6, 31, 365} {
		f.refuse("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": days}, window)
	}
	f.refuse("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 366}, "ValidationException: 1 validation error detected: "+
		"Value '366' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value less than or equal to 365")
	f.refuse("CancelKeyDeletion", m{"KeyId": id}, "KMSInvalidStateException: "+arn+" is not pending deletion.")

	got := f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
	want := answer{"KeyId": arn, "DeletionDate": 1786401507.123 + 7*86400, "KeyState": "PendingDeletion", "PendingWindowInDays": 7}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("ScheduleKeyDeletion answers %v", got)
	}
	if f.recorded(requestParameters) != `{"keyId":"`+id+`","pendingWindowInDays":7}` || f.recorded(responseElements) !=
		`{"deletionDate":"Aug 17, 2026, 10:38:27 PM","keyId":"`+arn+`","keyState":"PendingDeletion","pendingWindowInDays":7}` {
		t.Errorf("ScheduleKeyDeletion records %s, %s", f.recorded(requestParameters), f.recorded(responseElements))
	}
	described := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
	if described["KeyState"] != "PendingDeletion" || described["DeletionDate"] != want["DeletionDate"] || described["Enabled"] != false {
		t.Errorf("DescribeKey answers %v", described)
	}
	if got := f.do("CancelKeyDeletion", m{"KeyId": id}); got.text("KeyId") != arn {
		t.Errorf("CancelKeyDeletion answers %v", got)
	}
	described = f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
	if described["KeyState"] != "Disabled" || described["DeletionDate"] != nil {
		t.Errorf("DescribeKey answers %v", described)
	}
	if got := f.do("ScheduleKeyDeletion", m{"KeyId": id}); got["PendingWindowInDays"] != 30.0 {
		t.Errorf("the default window is %v", got)
	}
}

func TestUpdateKeyDescription(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{"Description": "before"})
	for _, text := range []string{"after", ""} {
		if got := f.do("UpdateKeyDescription", m{"KeyId": id, "Description": text}); got != nil {
			t.Errorf("answers %v", got)
		}
		if got := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")["Description"]; got != text {
			t.Errorf("the description is %v", got)
		}
	}
	f.do("UpdateKeyDescription", m{"KeyId": id, "Description": "x"})
	if f.recorded(requestParameters) != `{"description":"x","keyId":"`+id+`"}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("records %+v", f.event())
	}
	f.refuse("UpdateKeyDescription", m{"KeyId": id}, "ValidationException: 1 validation error detected: Value null at 'description' "+
		"failed to satisfy constraint: Member must not be null")
}

// keyStates are all that there are.
var keyStates = []state.KeyState{
	state.Enabled, state.Disabled, state.PendingDeletion, state.PendingReplicaDeletion, state.PendingImport, state.Unavailable, state.Creating, state.Updating,
}

// byState is what every operation answers in each of keyStates: "" is success, %s the
// key's ARN. It is the table of key states in the KMS developer guide.
func byState() map[string][]string {
	const (
		disabled   = "DisabledException: %s is disabled."
		deletion   = "KMSInvalidStateException: %s is pending deletion."
		replicas   = "KMSInvalidStateException: %s is pending replica deletion."
		noDeletion = "KMSInvalidStateException: %s is not pending deletion."
		importing  = "KMSInvalidStateException: %s is pending import."
		gone       = "KMSInvalidStateException: %s is unavailable."
		creating   = "KMSInvalidStateException: %s is creating."
		updating   = "KMSInvalidStateException: %s is updating."
	)
	always := []string{"", "", "", "", "", "", "", ""}
	use := []string{"", disabled, deletion, replicas, importing, gone, creating, ""}
	change := []string{"", "", deletion, replicas, "", "", "", ""}
	toggle := []string{"", "", deletion, replicas, importing, "", creating, updating}
	settle := []string{"", "", deletion, replicas, "", "", creating, updating}
	relate := []string{"", disabled, deletion, replicas, importing, gone, creating, updating}
	schedule := []string{"", disabled, deletion, replicas, "", "", creating, updating}
	return map[string][]string{
		"CancelKeyDeletion": {noDeletion, noDeletion, "", "", noDeletion, noDeletion, noDeletion, noDeletion}, "CreateAlias": change, "Decrypt": use,
		"DeleteAlias": always, "DescribeKey": always, "DisableKey": toggle, "EnableKey": toggle, "Encrypt": use,
		"EnableKeyRotation": schedule, "DisableKeyRotation": schedule, "GetKeyRotationStatus": always, "ListKeyRotations": always,
		"RotateKeyOnDemand": {"", disabled, deletion, replicas, importing, "", creating, updating},
		"GenerateDataKey":   use, "GenerateDataKeyWithoutPlaintext": use, "GetKeyLastUsage": always, "GetKeyPolicy": always,
		"DeriveSharedSecret": use, "Encapsulate": use, "Decapsulate": use, "GenerateMac": use, "Sign": use, "Verify": use,
		"VerifyMac": use, "GenerateDataKeyPair": use, "GenerateDataKeyPairWithoutPlaintext": use,
		"GetPublicKey": use, "ListAliases": always,
		"DeleteImportedKeyMaterial": always, "GetParametersForImport": settle, "ImportKeyMaterial": settle,
		"ListKeyPolicies": always, "ListResourceTags": always, "PutKeyPolicy": always, "ReEncrypt": use, "ReplicateKey": relate,
		"ScheduleKeyDeletion": settle, "TagResource": change, "UntagResource": change, "UpdateAlias": change,
		"UpdateKeyDescription": change, "UpdatePrimaryRegion": relate,
		"CreateGrant": {"", disabled, deletion, replicas, importing, "", creating, ""}, "ListGrants": always, "RetireGrant": always, "RevokeGrant": always,
	}
}

// TestStates holds every operation against the table.
func TestStates(t *testing.T) {
	for operation, want := range byState() {
		for i, s := range keyStates {
			t.Run(operation+" in "+s.String(), func(t *testing.T) {
				f := newFixture(t)
				request, arn := f.prepare(operation)
				f.edit(strings.TrimPrefix(arn, keyARN("")), func(k *state.Key) { k.State = s })
				if want[i] == "" {
					f.do(operation, request)
				} else {
					f.refuse(operation, request, fmt.Sprintf(want[i], arn))
				}
			})
		}
	}
}

// TestStateOfANewerRelease: a state that this release does not know keeps a key
// from being used.
func TestStateOfANewerRelease(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	f.edit(id, func(k *state.Key) { k.State = 99 })
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, "KMSInvalidStateException: "+arn+" is unavailable.")
}

// prepare answers a request of an operation that succeeds, and the ARN of the
// key whose state decides.
func (f *fixture) prepare(operation string) (request m, arn string) {
	id, arn := f.create(m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}})
	f.do("CreateAlias", m{"AliasName": "alias/of-key", "TargetKeyId": id})
	other, _ := f.create(m{})
	f.do("CreateAlias", m{"AliasName": "alias/of-other", "TargetKeyId": other})
	request = m{"KeyId": id}
	switch operation {
	case "ReplicateKey", "UpdatePrimaryRegion":
		id = f.mrk(m{}, west)
		return m{"KeyId": id, "ReplicaRegion": east, "PrimaryRegion": west}, keyARN(id)
	case "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial":
		return f.prepareImport(operation)
	case "DeriveSharedSecret", "Encapsulate", "Decapsulate", "GenerateMac", "GetPublicKey", "Sign", "Verify", "VerifyMac":
		return f.prepareUse(operation)
	case "CreateAlias":
		return m{"AliasName": "alias/new", "TargetKeyId": id}, arn
	case "CreateGrant":
		return m{"KeyId": id, "GranteePrincipal": f.user(foreign, "ann").ARN, "Operations": []string{"Decrypt"}}, arn
	case "RetireGrant", "RevokeGrant":
		grantID, _ := f.grant(id, f.user(foreign, "ann"), nil, "Decrypt")
		return m{"KeyId": id, "GrantId": grantID}, arn
	case "ListRetirableGrants":
		return m{"RetiringPrincipal": f.user(account, "ann").ARN}, arn
	case "UpdateAlias":
		return m{"AliasName": "alias/of-other", "TargetKeyId": id}, arn
	case "DeleteAlias":
		return m{"AliasName": "alias/of-key"}, arn
	case "Decrypt":
		return m{"CiphertextBlob": f.encrypt(id, "x", nil)}, arn
	case "ReEncrypt":
		return m{"CiphertextBlob": f.encrypt(id, "x", nil), "DestinationKeyId": other}, arn
	case "Encrypt":
		request["Plaintext"] = []byte("x")
	case "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		request["KeySpec"] = "AES_256"
	case "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		request["KeyPairSpec"] = "ECC_NIST_P256"
	case "PutKeyPolicy":
		request["Policy"] = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`
	case "TagResource":
		request["Tags"] = []m{{"TagKey": "new", "TagValue": "v"}}
	case "UntagResource":
		request["TagKeys"] = []string{"k"}
	case "UpdateKeyDescription":
		request["Description"] = "x"
	case "CreateKey", "ListKeys", "GenerateRandom":
		return m{"NumberOfBytes": 1}, arn // what they do not know they ignore
	}
	return request, arn
}

// prepareUse is prepare for operations of keys that are not for encryption.
func (f *fixture) prepareUse(operation string) (request m, arn string) {
	request = m{}
	create := m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
	switch operation {
	case "DeriveSharedSecret":
		create["KeyUsage"] = "KEY_AGREEMENT"
		request["KeyAgreementAlgorithm"], request["PublicKey"] = "ECDH", peer(f, "ECC_NIST_P256")
	case "Encapsulate", "Decapsulate":
		create = m{"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}
		request["EncapsulationAlgorithm"], request["SharedSecretCiphertextBlob"] = "ML_KEM", make([]byte, 768)
	case "GenerateMac", "VerifyMac":
		create = m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
		request["MacAlgorithm"], request["Message"] = "HMAC_SHA_256", []byte("x")
	case "Sign", "Verify":
		request["SigningAlgorithm"], request["Message"] = "ECDSA_SHA_256", []byte("x")
	}
	id, arn := f.create(create)
	request["KeyId"] = id
	switch operation {
	case "VerifyMac":
		request["Mac"] = f.do("GenerateMac", request)["Mac"]
	case "Verify":
		request["Signature"] = f.do("Sign", request)["Signature"]
	}
	return request, arn
}

// peer answers the public key of somebody else.
func peer(t testing.TB, spec hsm.KeySpec) []byte {
	t.Helper()
	_, public, err := algorithm.Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	return public
}
