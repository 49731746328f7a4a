package kms_test

import (
	"strings"
	"testing"
)

// TestConditions asks each condition key of the operations that have it.
func TestConditions(t *testing.T) {
	f := newFixture(t)
	user := f.user(account, "user")
	id, _ := f.create(m{"Tags": []m{{"TagKey": "Team", "TagValue": "red"}}})
	other, _ := f.create(m{})
	mac, _ := f.create(m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
	multi := f.mrk(m{}, west)
	external, _ := f.create(m{"Origin": "EXTERNAL"})
	f.do("CreateAlias", m{"AliasName": "alias/one", "TargetKeyId": id})
	f.do("CreateAlias", m{"AliasName": "alias/two", "TargetKeyId": id})
	blob := f.encrypt(id, "x", nil)
	grantee := f.user(foreign, "ann").ARN
	context := m{"Dept": "IT"}
	encrypt := m{"KeyId": id, "Plaintext": []byte("x"), "EncryptionContext": context}
	for _, test := range []struct {
		operation string
		request   m
		condition string // which holds
		fails     string // a value or operator instead, with which it does not
	}{
		{"Encrypt", encrypt, `"StringEquals":{"kms:EncryptionContext:Dept":"IT"}`, "it"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:EncryptionContext:DEPT":"IT"}`, "HR"},
		{"Encrypt", encrypt, `"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"Dept"}`, "dept"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, "RSAES_OAEP_SHA_1"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:CallerAccount":"` + account + `"}`, foreign},
		{"Encrypt", encrypt, `"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}`, "RSA_2048"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"}`, "RSA_2048"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:KeyUsage":"ENCRYPT_DECRYPT"}`, "SIGN_VERIFY"},
		{"Encrypt", encrypt, `"StringEquals":{"kms:KeyOrigin":"AWS_KMS"}`, "EXTERNAL"},
		{"Encrypt", encrypt, `"Bool":{"kms:MultiRegion":"false"}`, "true"},
		{"Encrypt", encrypt, `"Null":{"kms:MultiRegionKeyType":"true"}`, "false"},
		{"Encrypt", encrypt, `"Null":{"kms:ViaService":"true"}`, "false"},
		{"Encrypt", encrypt, `"Null":{"kms:RequestAlias":"true"}`, "false"},
		{"Encrypt", encrypt, `"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/two"}`, "alias/three"},
		{"Encrypt", encrypt, `"StringEquals":{"aws:ResourceTag/team":"red"}`, "blue"},
		{"Encrypt", encrypt, `"StringEquals":{"aws:ResourceAccount":"` + account + `"}`, foreign},
		{"Encrypt", encrypt, `"StringEquals":{"aws:username":"user"}`, "admin"},
		{"Encrypt", encrypt, `"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, "198.51.100.0/24"},
		{"Encrypt", m{"KeyId": "alias/one", "Plaintext": []byte("x")}, `"StringEquals":{"kms:RequestAlias":"alias/one"}`, "alias/two"},
		{"Encrypt", m{"KeyId": "arn:aws:kms:" + region + ":" + account + ":alias/one", "Plaintext": []byte("x")},
			`"StringEquals":{"kms:RequestAlias":"alias/one"}`, "arn:aws:kms:" + region + ":" + account + ":alias/one"},
		{"GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256", "EncryptionContext": context},
			`"StringEquals":{"kms:EncryptionContext:Dept":"IT","kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`, "HR"},
		{"Decrypt", m{"CiphertextBlob": blob}, `"Null":{"kms:EncryptionContextKeys":"true"}`, "false"},
		{"GenerateMac", m{"KeyId": mac, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"},
			`"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"}`, "HMAC_SHA_512"},
		{"DescribeKey", m{"KeyId": multi}, `"StringEquals":{"kms:MultiRegionKeyType":"PRIMARY"}`, "REPLICA"},
		{"ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": id}, `"Bool":{"kms:ReEncryptOnSameKey":"true"}`, "false"},
		{"ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": other}, `"Bool":{"kms:ReEncryptOnSameKey":"false"}`, "true"},
		{"CreateKey", m{}, `"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT","kms:KeyOrigin":"AWS_KMS"}`, "RSA_2048"},
		{"CreateKey", m{}, `"Bool":{"kms:MultiRegion":"false"}`, "true"},
		{"CreateKey", m{}, `"Null":{"kms:BypassPolicyLockoutSafetyCheck":"true"}`, "false"},
		{"CreateKey", m{"BypassPolicyLockoutSafetyCheck": true}, `"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}`, "false"},
		{"CreateKey", m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}}, `"StringEquals":{"aws:RequestTag/K":"v"}`, "w"},
		{"TagResource", m{"KeyId": id, "Tags": []m{{"TagKey": "a", "TagValue": "1"}}},
			`"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"StringEquals":{"aws:RequestTag/a":"1"}`, "2"},
		{"UntagResource", m{"KeyId": id, "TagKeys": []string{"a"}}, `"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}`, "b"},
		{"EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 180}, `"NumericEquals":{"kms:RotationPeriodInDays":"180"}`, "90"},
		{"EnableKeyRotation", m{"KeyId": id}, `"NumericEquals":{"kms:RotationPeriodInDays":"365"}`, "90"},
		{"CreateGrant", m{"KeyId": id, "GranteePrincipal": grantee, "Operations": []string{"Encrypt"}, "Constraints": m{"EncryptionContextSubset": context}},
			`"StringEquals":{"kms:GranteePrincipal":"` + grantee + `","kms:GrantConstraintType":"EncryptionContextSubset","kms:EncryptionContext:Dept":"IT"}`, "x"},
		{"CreateGrant", m{"KeyId": id, "GranteePrincipal": grantee, "Operations": []string{"Encrypt"}},
			`"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]},"Bool":{"kms:GrantIsForAWSResource":"false"}`, "true"},
		{"GetParametersForImport", m{"KeyId": external, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
			`"StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256","kms:WrappingKeySpec":"RSA_2048"}`, "RSA_4096"},
		{"ScheduleKeyDeletion", m{"KeyId": other, "PendingWindowInDays": 7},
			`"NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"7"}`, "30"},
	} {
		policy := func(condition string) string {
			return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{` + condition + `}}}`
		}
		// The last value of the condition, replaced.
		end := strings.LastIndexByte(strings.TrimRight(test.condition, `"]}`), '"') + 1
		f.identityPolicy(user, policy(test.condition[:end]+test.fails+test.condition[len(strings.TrimRight(test.condition, `"]}`)):]))
		f.as(user, func() { f.refuseStart(test.operation, test.request, "AccessDeniedException: ") })
		f.identityPolicy(user, policy(test.condition))
		f.as(user, func() {
			if _, err := f.try(test.operation, encode(f, test.request)); err != nil {
				t.Errorf("%s where %s: %v", test.operation, test.condition, err)
			}
		})
	}
}

// TestIdleKeys: kms:TrailingDaysWithoutKeyUsage counts from the last use, or from
// the creation of a key that was never used.
func TestIdleKeys(t *testing.T) {
	f := newFixture(t)
	user := f.user(account, "user")
	f.identityPolicy(user, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*",`+
		`"Condition":{"NumericGreaterThanEquals":{"kms:TrailingDaysWithoutKeyUsage":"10"}}}}`)
	for _, used := range []bool{false, true} {
		f.now = start
		id, _ := f.create(m{})
		if used {
			f.now = f.now.Add(5 * day)
			f.encrypt(id, "x", nil)
		}
		for _, operation := range []string{"DisableKey", "ScheduleKeyDeletion"} {
			last := f.now
			f.now = last.Add(10*day - 1)
			f.as(user, func() { f.refuseStart(operation, m{"KeyId": id}, "AccessDeniedException: ") })
			f.now = last.Add(10 * day)
			f.as(user, func() { f.do(operation, m{"KeyId": id}) })
			f.now = last
		}
		f.as(user, func() { f.refuseStart("DescribeKey", m{"KeyId": id}, "AccessDeniedException: ") }) // which does not have it
	}
}
