package kms_test

import (
	"slices"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// TestImportedMultiRegionKeys imports the same material into every Region.
func TestImportedMultiRegionKeys(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{"Origin": "EXTERNAL"})
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": west}, "KMSInvalidStateException: "+keyARN(id)+" is pending import.")
	first := f.bring(id, symmetric(1), never())
	old := f.encrypt(id, "x", nil)
	if k := f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": west}).object("ReplicaKeyMetadata"); k["KeyState"] != "PendingImport" || k["CurrentKeyMaterialId"] != first {
		t.Errorf("the replica is %v", k)
	}
	f.in(west).refuse("Decrypt", m{"CiphertextBlob": old}, "KMSInvalidStateException: "+regionARN(west, id)+" is pending import.")
	w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(2), never()), "IncorrectKeyMaterialException")
	if got := f.bring(id, symmetric(1), never()); got != first {
		t.Errorf("the same material is called %s and %s", first, got)
	}
	f.do("Decrypt", m{"CiphertextBlob": old})

	fresh := m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL"}
	w = f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(2), fresh), "UnsupportedOperationException: "+regionARN(west, id)+" is not a multi-Region primary key.")
	all := m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
	expect := func(want ...string) {
		t.Helper()
		for _, r := range []string{region, west} {
			if got := f.in(r).rotations(all); !slices.Equal(got, want) {
				t.Errorf("in %s: %q, want %q", r, got, want)
			}
		}
		f.in(region)
	}
	f.in(region).bring(id, symmetric(3), fresh)
	expect("CURRENT <nil>", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION <nil>")
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": f.do("ListKeyRotations", all).list("Rotations")[1].(map[string]any)["KeyMaterialId"]})
	expect("CURRENT <nil>")
	second := f.bring(id, symmetric(2), fresh)
	notYet := "KMSInvalidStateException: No available key material pending rotation for the key: " + keyARN(id) + "."
	f.refuse("RotateKeyOnDemand", m{"KeyId": id}, notYet)
	f.in(west).bring(id, symmetric(2), never())
	expect("CURRENT <nil>", "PENDING_ROTATION <nil>")
	f.in(west).do("DeleteImportedKeyMaterial", m{"KeyId": id, "KeyMaterialId": second})
	expect("CURRENT <nil>", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION <nil>")
	f.refuse("RotateKeyOnDemand", m{"KeyId": id}, notYet)
	f.in(west).bring(id, symmetric(2), m{"ValidTo": epoch(start.Add(day))})
	f.in(region).do("RotateKeyOnDemand", m{"KeyId": id})
	expect("NON_CURRENT <nil>", "CURRENT ON_DEMAND day 0")
	for _, r := range []string{region, west} {
		blob := f.in(r).encrypt(id, "x", nil)
		for _, other := range []string{region, west} {
			for _, b := range []string{old, blob} {
				f.in(other).do("Decrypt", m{"CiphertextBlob": b})
			}
		}
	}
	if f.in(region).described(id)["ExpirationModel"] != "KEY_MATERIAL_DOES_NOT_EXPIRE" || f.in(west).described(id)["ExpirationModel"] != "KEY_MATERIAL_EXPIRES" {
		t.Errorf("expiration is shared: %v", f.described(id))
	}
}

// TestImportedReplicasOfOtherSpecs: keys with one material for ever have it in
// every Region when it has been imported there.
func TestImportedReplicasOfOtherSpecs(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
	f.bring(id, symmetric(1), never())
	f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": west})
	w := f.in(west).wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	f.refuse("ImportKeyMaterial", w.imports(t, id, symmetric(2), never()), "IncorrectKeyMaterialException")
	f.bring(id, symmetric(1), never())
	request := m{"KeyId": id, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"}
	request["Mac"] = f.do("GenerateMac", request).text("Mac")
	f.in(region).do("VerifyMac", request)
	f.do("DeleteImportedKeyMaterial", m{"KeyId": id})
	f.refuse("VerifyMac", request, "KMSInvalidStateException: "+keyARN(id)+" is pending import.")
	f.in(west).do("VerifyMac", request)
}
