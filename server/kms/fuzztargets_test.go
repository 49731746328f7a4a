package kms_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/cofre-kms/cofre/server/kms"
)

// A fuzz target for each operation. `go test` runs each with some requests, the same every
// time; scripts/fuzz goes on for as long as it may.

func FuzzCancelKeyDeletion(f *testing.F)         { fuzz(f, "CancelKeyDeletion") }
func FuzzConnectCustomKeyStore(f *testing.F)     { fuzz(f, "ConnectCustomKeyStore") }
func FuzzCreateAlias(f *testing.F)               { fuzz(f, "CreateAlias") }
func FuzzCreateCustomKeyStore(f *testing.F)      { fuzz(f, "CreateCustomKeyStore") }
func FuzzCreateGrant(f *testing.F)               { fuzz(f, "CreateGrant") }
func FuzzCreateKey(f *testing.F)                 { fuzz(f, "CreateKey") }
func FuzzDecapsulate(f *testing.F)               { fuzz(f, "Decapsulate") }
func FuzzDecrypt(f *testing.F)                   { fuzz(f, "Decrypt") }
func FuzzDeleteAlias(f *testing.F)               { fuzz(f, "DeleteAlias") }
func FuzzDeleteCustomKeyStore(f *testing.F)      { fuzz(f, "DeleteCustomKeyStore") }
func FuzzDeleteImportedKeyMaterial(f *testing.F) { fuzz(f, "DeleteImportedKeyMaterial") }
func FuzzDeriveSharedSecret(f *testing.F)        { fuzz(f, "DeriveSharedSecret") }
func FuzzDescribeCustomKeyStores(f *testing.F)   { fuzz(f, "DescribeCustomKeyStores") }
func FuzzDescribeKey(f *testing.F)               { fuzz(f, "DescribeKey") }
func FuzzDisableKey(f *testing.F)                { fuzz(f, "DisableKey") }
func FuzzDisableKeyRotation(f *testing.F)        { fuzz(f, "DisableKeyRotation") }
func FuzzDisconnectCustomKeyStore(f *testing.F)  { fuzz(f, "DisconnectCustomKeyStore") }
func FuzzEnableKey(f *testing.F)                 { fuzz(f, "EnableKey") }
func FuzzEnableKeyRotation(f *testing.F)         { fuzz(f, "EnableKeyRotation") }
func FuzzEncapsulate(f *testing.F)               { fuzz(f, "Encapsulate") }
func FuzzEncrypt(f *testing.F)                   { fuzz(f, "Encrypt") }
func FuzzGenerateDataKey(f *testing.F)           { fuzz(f, "GenerateDataKey") }
func FuzzGenerateDataKeyPair(f *testing.F)       { fuzz(f, "GenerateDataKeyPair") }
func FuzzGenerateDataKeyPairWithoutPlaintext(f *testing.F) {
	fuzz(f, "GenerateDataKeyPairWithoutPlaintext")
}
func FuzzGenerateDataKeyWithoutPlaintext(f *testing.F) { fuzz(f, "GenerateDataKeyWithoutPlaintext") }
func FuzzGenerateMac(f *testing.F)                     { fuzz(f, "GenerateMac") }
func FuzzGenerateRandom(f *testing.F)                  { fuzz(f, "GenerateRandom") }
func FuzzGetKeyLastUsage(f *testing.F)                 { fuzz(f, "GetKeyLastUsage") }
func FuzzGetKeyPolicy(f *testing.F)                    { fuzz(f, "GetKeyPolicy") }
func FuzzGetKeyRotationStatus(f *testing.F)            { fuzz(f, "GetKeyRotationStatus") }
func FuzzGetParametersForImport(f *testing.F)          { fuzz(f, "GetParametersForImport") }
func FuzzGetPublicKey(f *testing.F)                    { fuzz(f, "GetPublicKey") }
func FuzzImportKeyMaterial(f *testing.F)               { fuzz(f, "ImportKeyMaterial") }
func FuzzListAliases(f *testing.F)                     { fuzz(f, "ListAliases") }
func FuzzListGrants(f *testing.F)                      { fuzz(f, "ListGrants") }
func FuzzListKeyPolicies(f *testing.F)                 { fuzz(f, "ListKeyPolicies") }
func FuzzListKeyRotations(f *testing.F)                { fuzz(f, "ListKeyRotations") }
func FuzzListKeys(f *testing.F)                        { fuzz(f, "ListKeys") }
func FuzzListResourceTags(f *testing.F)                { fuzz(f, "ListResourceTags") }
func FuzzListRetirableGrants(f *testing.F)             { fuzz(f, "ListRetirableGrants") }
func FuzzPutKeyPolicy(f *testing.F)                    { fuzz(f, "PutKeyPolicy") }
func FuzzReEncrypt(f *testing.F)                       { fuzz(f, "ReEncrypt") }
func FuzzReplicateKey(f *testing.F)                    { fuzz(f, "ReplicateKey") }
func FuzzRetireGrant(f *testing.F)                     { fuzz(f, "RetireGrant") }
func FuzzRevokeGrant(f *testing.F)                     { fuzz(f, "RevokeGrant") }
func FuzzRotateKeyOnDemand(f *testing.F)               { fuzz(f, "RotateKeyOnDemand") }
func FuzzScheduleKeyDeletion(f *testing.F)             { fuzz(f, "ScheduleKeyDeletion") }
func FuzzSign(f *testing.F)                            { fuzz(f, "Sign") }
func FuzzTagResource(f *testing.F)                     { fuzz(f, "TagResource") }
func FuzzUntagResource(f *testing.F)                   { fuzz(f, "UntagResource") }
func FuzzUpdateAlias(f *testing.F)                     { fuzz(f, "UpdateAlias") }
func FuzzUpdateCustomKeyStore(f *testing.F)            { fuzz(f, "UpdateCustomKeyStore") }
func FuzzUpdateKeyDescription(f *testing.F)            { fuzz(f, "UpdateKeyDescription") }
func FuzzUpdatePrimaryRegion(f *testing.F)             { fuzz(f, "UpdatePrimaryRegion") }
func FuzzVerify(f *testing.F)                          { fuzz(f, "Verify") }
func FuzzVerifyMac(f *testing.F)                       { fuzz(f, "VerifyMac") }

// TestEveryOperationIsFuzzed: the targets above are all there are operations.
func TestEveryOperationIsFuzzed(t *testing.T) {
	source, err := os.ReadFile("fuzztargets_test.go")
	if err != nil {
		t.Fatal(err)
	}
	targets := make(map[string]bool)
	for _, found := range regexp.MustCompile(`func Fuzz(\w+)\(f \*testing\.F\)\s+\{\s+fuzz\(f, "(\w+)"\)\s+\}`).FindAllStringSubmatch(string(source), -1) {
		targets[found[1]] = found[1] == found[2]
	}
	operations := kms.New(kms.Config{}).Operations()
	for _, op := range operations {
		if !targets[op.Name] {
			t.Errorf("%s has no fuzz target", op.Name)
		}
	}
	if len(targets) != len(operations) {
		t.Errorf("%d targets for %d operations", len(targets), len(operations))
	}
}
