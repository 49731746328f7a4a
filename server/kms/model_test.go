package kms

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/server/shape"
)

// requests are the shapes of all operations, and the SDK's types of the same.
func requests() map[string]struct {
	ours   shape.Description
	theirs any
} {
	type row = struct {
		ours   shape.Description
		theirs any
	}
	return map[string]row{
		"CancelKeyDeletion":                   {keyRequestShape().Describe(), sdk.CancelKeyDeletionInput{}},
		"ConnectCustomKeyStore":               {keyStoreRequestShape().Describe(), sdk.ConnectCustomKeyStoreInput{}},
		"CreateCustomKeyStore":                {createCustomKeyStoreShape().Describe(), sdk.CreateCustomKeyStoreInput{}},
		"DeleteCustomKeyStore":                {keyStoreRequestShape().Describe(), sdk.DeleteCustomKeyStoreInput{}},
		"DescribeCustomKeyStores":             {describeCustomKeyStoresShape().Describe(), sdk.DescribeCustomKeyStoresInput{}},
		"DisconnectCustomKeyStore":            {keyStoreRequestShape().Describe(), sdk.DisconnectCustomKeyStoreInput{}},
		"UpdateCustomKeyStore":                {updateCustomKeyStoreShape().Describe(), sdk.UpdateCustomKeyStoreInput{}},
		"CreateAlias":                         {aliasTargetShape().Describe(), sdk.CreateAliasInput{}},
		"CreateGrant":                         {createGrantShape().Describe(), sdk.CreateGrantInput{}},
		"CreateKey":                           {createKeyShape().Describe(), sdk.CreateKeyInput{}},
		"Decapsulate":                         {decapsulateShape().Describe(), sdk.DecapsulateInput{}},
		"Decrypt":                             {decryptShape().Describe(), sdk.DecryptInput{}},
		"DeleteAlias":                         {deleteAliasShape().Describe(), sdk.DeleteAliasInput{}},
		"DeleteImportedKeyMaterial":           {deleteImportedKeyMaterialShape().Describe(), sdk.DeleteImportedKeyMaterialInput{}},
		"DeriveSharedSecret":                  {deriveSharedSecretShape().Describe(), sdk.DeriveSharedSecretInput{}},
		"DescribeKey":                         {describeKeyShape().Describe(), sdk.DescribeKeyInput{}},
		"DisableKey":                          {keyRequestShape().Describe(), sdk.DisableKeyInput{}},
		"DisableKeyRotation":                  {keyRequestShape().Describe(), sdk.DisableKeyRotationInput{}},
		"EnableKey":                           {keyRequestShape().Describe(), sdk.EnableKeyInput{}},
		"EnableKeyRotation":                   {enableKeyRotationShape().Describe(), sdk.EnableKeyRotationInput{}},
		"Encapsulate":                         {encapsulateShape().Describe(), sdk.EncapsulateInput{}},
		"Encrypt":                             {encryptShape().Describe(), sdk.EncryptInput{}},
		"GenerateDataKey":                     {generateDataKeyShape().Describe(), sdk.GenerateDataKeyInput{}},
		"GenerateDataKeyPair":                 {generateDataKeyPairShape().Describe(), sdk.GenerateDataKeyPairInput{}},
		"GenerateDataKeyPairWithoutPlaintext": {generateDataKeyPairWithoutPlaintextShape().Describe(), sdk.GenerateDataKeyPairWithoutPlaintextInput{}},
		"GenerateDataKeyWithoutPlaintext":     {generateDataKeyWithoutPlaintextShape().Describe(), sdk.GenerateDataKeyWithoutPlaintextInput{}},
		"GenerateMac":                         {generateMacShape().Describe(), sdk.GenerateMacInput{}},
		"GenerateRandom":                      {generateRandomShape().Describe(), sdk.GenerateRandomInput{}},
		"GetKeyLastUsage":                     {keyRequestShape().Describe(), sdk.GetKeyLastUsageInput{}},
		"GetKeyPolicy":                        {getKeyPolicyShape().Describe(), sdk.GetKeyPolicyInput{}},
		"GetKeyRotationStatus":                {keyRequestShape().Describe(), sdk.GetKeyRotationStatusInput{}},
		"GetParametersForImport":              {getParametersForImportShape().Describe(), sdk.GetParametersForImportInput{}},
		"GetPublicKey":                        {describeKeyShape().Describe(), sdk.GetPublicKeyInput{}},
		"ImportKeyMaterial":                   {importKeyMaterialShape().Describe(), sdk.ImportKeyMaterialInput{}},
		"ListAliases":                         {listAliasesShape().Describe(), sdk.ListAliasesInput{}},
		"ListGrants":                          {listGrantsShape().Describe(), sdk.ListGrantsInput{}},
		"ListKeyPolicies":                     {listShape().Describe(), sdk.ListKeyPoliciesInput{}},
		"ListKeyRotations":                    {listKeyRotationsShape().Describe(), sdk.ListKeyRotationsInput{}},
		"ListKeys":                            {listKeysShape().Describe(), sdk.ListKeysInput{}},
		"ListResourceTags":                    {listShape().Describe(), sdk.ListResourceTagsInput{}},
		"ListRetirableGrants":                 {listRetirableGrantsShape().Describe(), sdk.ListRetirableGrantsInput{}},
		"PutKeyPolicy":                        {putKeyPolicyShape().Describe(), sdk.PutKeyPolicyInput{}},
		"ReEncrypt":                           {reEncryptShape().Describe(), sdk.ReEncryptInput{}},
		"ReplicateKey":                        {replicateKeyShape().Describe(), sdk.ReplicateKeyInput{}},
		"RetireGrant":                         {retireGrantShape().Describe(), sdk.RetireGrantInput{}},
		"RevokeGrant":                         {revokeGrantShape().Describe(), sdk.RevokeGrantInput{}},
		"RotateKeyOnDemand":                   {keyRequestShape().Describe(), sdk.RotateKeyOnDemandInput{}},
		"ScheduleKeyDeletion":                 {scheduleKeyDeletionShape().Describe(), sdk.ScheduleKeyDeletionInput{}},
		"Sign":                                {signShape().Describe(), sdk.SignInput{}},
		"TagResource":                         {tagResourceShape().Describe(), sdk.TagResourceInput{}},
		"UntagResource":                       {untagResourceShape().Describe(), sdk.UntagResourceInput{}},
		"UpdateAlias":                         {aliasTargetShape().Describe(), sdk.UpdateAliasInput{}},
		"UpdateKeyDescription":                {updateKeyDescriptionShape().Describe(), sdk.UpdateKeyDescriptionInput{}},
		"UpdatePrimaryRegion":                 {updatePrimaryRegionShape().Describe(), sdk.UpdatePrimaryRegionInput{}},
		"Verify":                              {verifyShape().Describe(), sdk.VerifyInput{}},
		"VerifyMac":                           {verifyMacShape().Describe(), sdk.VerifyMacInput{}},
	}
}

func TestRequestsCoverTheTable(t *testing.T) {
	all := requests()
	for _, op := range New(Config{}).Operations() {
		if _, ok := all[op.Name]; !ok {
			t.Errorf("no test compares the request of %s with the model", op.Name)
		}
		delete(all, op.Name)
	}
	if len(all) > 0 {
		t.Errorf("not in the table of operations: %v", all)
	}
}

// TestConstraints compares the constraints with those of the published model
// (testdata/extract.py).
func TestConstraints(t *testing.T) {
	raw, err := os.ReadFile("testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	var model map[string]shape.Description
	if err := json.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	for name, request := range requests() {
		ours, _ := json.MarshalIndent(withoutEnums(request.ours), "", " ")
		theirs, _ := json.MarshalIndent(model[name], "", " ")
		if string(ours) != string(theirs) {
			t.Errorf("%s: ours is %s\nthe model's is %s", name, ours, theirs)
		}
	}
}

func withoutEnums(d shape.Description) shape.Description {
	d.Enum = nil
	members := d.Members
	d.Members = nil
	for name, member := range members {
		if d.Members == nil {
			d.Members = map[string]shape.Description{}
		}
		d.Members[name] = withoutEnums(member)
	}
	for _, part := range []**shape.Description{&d.Member, &d.Key, &d.Value} {
		if *part != nil {
			of := withoutEnums(**part)
			*part = &of
		}
	}
	return d
}

// TestEnums compares members and enumerations with the SDK's.
func TestEnums(t *testing.T) {
	for name, request := range requests() {
		compareWithSDK(t, name, request.ours, reflect.TypeOf(request.theirs))
	}
}

func compareWithSDK(t *testing.T, path string, ours shape.Description, theirs reflect.Type) {
	for theirs.Kind() == reflect.Pointer {
		theirs = theirs.Elem()
	}
	if values, ok := theirs.MethodByName("Values"); ok {
		list := values.Func.Call([]reflect.Value{reflect.Zero(theirs)})[0]
		var enum []string
		for i := range list.Len() {
			enum = append(enum, list.Index(i).String())
		}
		mine := slices.Clone(ours.Enum)
		slices.Sort(mine)
		slices.Sort(enum)
		if !slices.Equal(mine, enum) {
			t.Errorf("%s: the values are %v, the SDK's %v", path, mine, enum)
		}
		return
	}
	if ours.Enum != nil {
		t.Errorf("%s: no enumeration in the SDK", path)
	}
	switch ours.Type {
	case "list":
		compareWithSDK(t, path+"[]", *ours.Member, theirs.Elem())
	case "structure":
		for i := range theirs.NumField() {
			field := theirs.Field(i)
			member, ok := ours.Members[field.Name]
			if field.IsExported() && !ok {
				t.Errorf("%s: no member %s", path, field.Name)
			} else if ok {
				compareWithSDK(t, path+"."+field.Name, member, field.Type)
			}
		}
		for member := range ours.Members {
			if _, ok := theirs.FieldByName(member); !ok {
				t.Errorf("%s: the SDK has no member %s", path, member)
			}
		}
	}
}

// TestPatterns holds the hand-written matchers against the regular expressions
// that they stand for.
func TestPatterns(t *testing.T) {
	for _, s := range []shape.String{aliasNameType(), policyType(), policyNameType(), markerType(), xksKeyIDType(), grantNameType(), principalIDType(), regionType(),
		keyMaterialDescriptionType(), keyMaterialIDType()} {
		// Java's \uXXXX is Go's \x{XXXX}, and the model means the whole string.
		expr := regexp.MustCompile(`\\u([0-9A-F]{4})`).ReplaceAllString(s.Pattern.Expr, `\x{$1}`)
		expr = strings.ReplaceAll(expr, "0-9-_.", `0-9\-_.`)
		expr = strings.ReplaceAll(expr, `\s`, `\s\x0b`) // Java's has the vertical tab
		re := regexp.MustCompile(`^(?s:` + expr + `)$`)
		runes := rapid.OneOf(rapid.RuneFrom([]rune("aZ09_-:/.\t\n\r \x00\x7f\u00ff\u0100é€😀")), rapid.Rune())
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringOfN(runes, 0, 6, -1).Draw(t, "text")
			if s.Pattern.Match(text) != re.MatchString(text) {
				t.Fatalf("%q and %s: %v", text, s.Pattern.Expr, s.Pattern.Match(text))
			}
		})
		for r := range rune(0x200) {
			if text := string(r); s.Pattern.Match(text) != re.MatchString(text) {
				t.Errorf("%q and %s: %v", text, s.Pattern.Expr, s.Pattern.Match(text))
			}
		}
	}
}

// TestKeyStorePatterns does the same for patterns that few texts match.
func TestKeyStorePatterns(t *testing.T) {
	for _, s := range []shape.String{cloudHsmClusterIDType(), xksProxyURIEndpointType(), xksProxyURIPathType(),
		xksProxyVPCEndpointServiceNameType(), accountIDType(), xksProxyAccessKeyIDType(), xksProxySecretType()} {
		re := regexp.MustCompile(`^(?:` + s.Pattern.Expr + `)$`)
		parts := rapid.SampledFrom([]string{
			"cluster-", "https://", "/", "kms/xks/v", "/kms/xks/v", "com", "eu", ".amazonaws.vpce.", "us-east-1", "us-gov-west-1", ".vpce-svc-", ".",
			"a", "Z", "0", "1", "234567", "abcdefghijk", "_", "-", "+", "=", "\\", " ", "é", "123456789012", "ABCDEFGHIJKLMNOPQRST",
		})
		rapid.Check(t, func(t *rapid.T) {
			text := strings.Join(rapid.SliceOfN(parts, 0, 6).Draw(t, "parts"), "")
			if s.Pattern.Match(text) != re.MatchString(text) {
				t.Fatalf("%q and %s: %v", text, s.Pattern.Expr, s.Pattern.Match(text))
			}
		})
		for _, text := range []string{"cluster-234abcdefgh", "cluster-1abcdefghij", "cluster-234abcdefgh012", "https://a.b-c", "https://", "/kms/xks/v1", "/a/kms/xks/v12",
			"//kms/xks/v1", "/a//b/kms/xks/v123", "/kms/xks/v", "a/kms/xks/v1", "com.amazonaws.vpce.us-east-1.vpce-svc-0a", "eu.amazonaws.vpce.eu-isoe-west-1.vpce-svc-a",
			"net.amazonaws.vpce.us-east-1.vpce-svc-a", "com.amazonaws.vpce.us-east-1.vpce-svc-", "com.amazonaws.vpce.us-east-1.vpce-svc-A", "12345678901", "ABC234", "ABC189"} {
			if s.Pattern.Match(text) != re.MatchString(text) {
				t.Errorf("%q and %s: %v", text, s.Pattern.Expr, s.Pattern.Match(text))
			}
		}
	}
}

func TestRegionNames(t *testing.T) {
	re := regexp.MustCompile(regionType().Pattern.Expr)
	for _, name := range []string{
		"us-east-1", "us-gov-west-1", "eu-isoe-west-1", "ap-southeast-12", "us-east", "us-east-", "us--1", "-east-1", "a-b-c-d-1", "us-east-1a", "US-east-1", "us-1-1", "1", "a-1", "us-east-1-",
	} {
		if got := regionName(name); got != re.MatchString(name) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRecordsEncodeThemselves holds the appenders against encoding/json.
func TestRecordsEncodeThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\"\\\n\x01\u2028é"))))
		p := useParameters{
			KeyID: text.Draw(t, "keyId"), EncryptionAlgorithm: rapid.SampledFrom([]string{"", "A"}).Draw(t, "algorithm"),
			KeySpec: rapid.SampledFrom([]string{"", "S"}).Draw(t, "keySpec"), NumberOfBytes: rapid.IntRange(0, 2).Draw(t, "bytes"),
			KeyPairSpec: text.Draw(t, "keyPairSpec"), MessageType: text.Draw(t, "messageType"),
			SigningAlgorithm: text.Draw(t, "signingAlgorithm"), MacAlgorithm: text.Draw(t, "macAlgorithm"),
			KeyAgreementAlgorithm: text.Draw(t, "keyAgreementAlgorithm"), EncapsulationAlgorithm: text.Draw(t, "encapsulationAlgorithm"),
			DryRun: rapid.Bool().Draw(t, "dryRun"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "pairs") {
			p.EncryptionContext = append(p.EncryptionContext, shape.Pair{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")})
		}
		compareEncodings(t, p.AppendJSON(nil), p)
		data := materialData{KeyMaterialID: text.Draw(t, "id"), SoftwareAssisted: rapid.Bool().Draw(t, "assisted")}
		data.CustomKeyStoreID, data.XksKeyID, data.BackingKey = text.Draw(t, "store"), text.Draw(t, "external"), text.Draw(t, "backing")
		if rapid.Bool().Draw(t, "recipient") {
			data.Recipient = &recipientData{ModuleID: text.Draw(t, "module"), ImageDigest: text.Draw(t, "image")}
		}
		compareEncodings(t, data.AppendJSON(nil), data)
	})
}

func compareEncodings(t *rapid.T, got []byte, value any) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(b.String(), "\n"); string(got) != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// TestCanonicalContextsDiffer reads the canonical encoding back: what can be read
// back is of one context only.
func TestCanonicalContextsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ec encryptionContext
		for key, value := range rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "context") {
			ec = append(ec, shape.Pair{Key: key, Value: value})
		}
		b := ec.appendCanonical(nil)
		number := func() (n int) {
			n, b = int(binary.BigEndian.Uint32(b)), b[4:]
			return n
		}
		text := func() (s string) {
			n := number()
			s, b = string(b[:n]), b[n:]
			return s
		}
		var back encryptionContext
		for range number() {
			back = append(back, shape.Pair{Key: text(), Value: text()})
		}
		if !slices.Equal(back, ec) || len(b) != 0 {
			t.Fatalf("%q is read as %q", ec, back)
		}
	})
}

func BenchmarkDecodeEncrypt(b *testing.B) {
	decode := encryptShape().Decode
	body := []byte(`{"KeyId":"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",` +
		`"Plaintext":"` + strings.Repeat("QUJD", 16) + `","EncryptionContext":{"tenant":"17","purpose":"benchmark"}}`)
	b.ReportAllocs()
	for b.Loop() {
		var req encryptRequest
		if err := decode(body, &req); err != nil {
			b.Fatal(err)
		}
	}
}

// Describe answers the shapes of all operations, for the tests outside of the
// package.
func Describe() map[string]shape.Description {
	all := make(map[string]shape.Description)
	for name, request := range requests() {
		all[name] = request.ours
	}
	return all
}
