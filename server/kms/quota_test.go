package kms_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// TestKeyQuota: keys are counted by account and Region, until they are deleted.
func TestKeyQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.maxKeys = 3
		f.use(f.hsm)
		const limit = "LimitExceededException: An account cannot have more than 3 KMS keys in a Region."
		first, _ := f.create(m{})
		f.create(m{"MultiRegion": true})
		f.create(m{})
		f.refuse("CreateKey", m{}, limit)
		for _, place := range [][2]string{{account, "us-west-2"}, {foreign, region}} {
			f.account, f.region = place[0], place[1]
			f.create(m{})
		}
		f.account, f.region = account, region
		f.do("ScheduleKeyDeletion", m{"KeyId": first, "PendingWindowInDays": 7})
		f.refuse("CreateKey", m{}, limit)
		stop := f.steward(7 * day)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		f.create(m{})
		f.refuse("CreateKey", m{}, limit)
	})
}

// TestReplicasCount: in their own Region. And none comes where an earlier one's
// grants still are.
func TestReplicasCount(t *testing.T) {
	f := newFixture(t)
	f.maxKeys = 2
	f.use(f.hsm)
	first, _ := f.create(m{"MultiRegion": true})
	second, _ := f.create(m{"MultiRegion": true})
	f.do("ReplicateKey", m{"KeyId": first, "ReplicaRegion": "us-west-2"})
	f.region = "us-west-2"
	f.create(m{})
	f.region = region
	f.refuse("ReplicateKey", m{"KeyId": second, "ReplicaRegion": "us-west-2"},
		"LimitExceededException: An account cannot have more than 2 KMS keys in a Region.")
	left := func(n int64) {
		f.write(func(tx *fsm.Txn) error {
			return state.GrantCounts.Put(tx, &state.Count{N: n}, account, "us-east-1", second, "a")
		})
	}
	left(1)
	f.refuse("ReplicateKey", m{"KeyId": second, "ReplicaRegion": "us-east-1"}, "KMSInvalidStateException: "+
		strings.Replace(keyARN(second), region, "us-east-1", 1)+" was deleted and its grants are being removed.")
	left(0)
	f.do("ReplicateKey", m{"KeyId": second, "ReplicaRegion": "us-east-1"})
}

// TestKeyQuotaMakesUpForWhatWasLost: the number of keys is not exact where
// creations met. A wrong one is found before anybody is refused for it.
func TestKeyQuotaMakesUpForWhatWasLost(t *testing.T) {
	f := newFixture(t)
	f.maxKeys = 10
	f.use(f.hsm)
	for range 5 {
		f.create(m{})
	}
	f.write(func(tx *fsm.Txn) error {
		return state.KeyCounts.Put(tx, &state.Count{N: 7}, account, region, "zz") // 12 in all
	})
	for range 5 {
		f.create(m{})
	}
	var sum int64
	scan(f, state.KeyCounts, []string{account, region}, func(_ []string, c *state.Count) { sum += c.N })
	if sum != 10 {
		t.Errorf("%d keys are counted, there are 10", sum)
	}
	f.refuse("CreateKey", m{}, "LimitExceededException: An account cannot have more than 10 KMS keys in a Region.")
}

// TestCharges: cryptographic operations are charged by the kind of their key,
// once, whatever becomes of them; others are not charged here.
func TestCharges(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	other, _ := f.create(m{})
	blob := f.encrypt(id, "x", nil)
	sized := func(spec, usage string) string {
		id, _ := f.create(m{})
		f.edit(id, func(k *state.Key) { k.Spec, k.Usage = hsm.KeySpec(spec), usage })
		return id
	}
	var charged []string
	f.quota = func(group string) bool { charged = append(charged, group); return true }
	for _, test := range []struct {
		operation string
		request   m
		want      string
	}{
		{"Encrypt", plaintext(f, id, ""), "symmetric"},
		{"Decrypt", m{"CiphertextBlob": blob}, "symmetric"},
		{"Decrypt", m{"CiphertextBlob": blob, "KeyId": arn}, "symmetric"},
		{"GenerateDataKey", dataKey(f, id, ""), "symmetric"},
		{"ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": other}, "symmetric symmetric"},
		{"GenerateRandom", m{"NumberOfBytes": 1}, "symmetric"},
		{"GenerateDataKeyPair", m{"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"}, "symmetric GenerateDataKeyPair_ECC_NIST_P256"},
		{"Encrypt", m{"KeyId": absent, "Plaintext": []byte("x")}, "symmetric"},
		{"Encrypt", m{"KeyId": "x", "Plaintext": []byte("x")}, "symmetric"},
		{"Decrypt", m{"CiphertextBlob": []byte("x")}, "symmetric"},
		{"GenerateRandom", m{}, "symmetric"},
		{"Encrypt", plaintext(f, sized("RSA_2048", "SIGN_VERIFY"), ""), "rsa"},
		{"Encrypt", plaintext(f, sized("ECC_NIST_P256", "SIGN_VERIFY"), ""), "ecc"},
		{"Encrypt", plaintext(f, sized("SM2", "SIGN_VERIFY"), ""), "sm2"},
		{"Encrypt", plaintext(f, sized("ML_DSA_44", "SIGN_VERIFY"), ""), "ml_dsa"},
		{"Encrypt", plaintext(f, sized("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"), ""), "ml_kem"},
		{"Encrypt", plaintext(f, sized("HMAC_256", "GENERATE_VERIFY_MAC"), ""), "symmetric"},
		{"DescribeKey", m{"KeyId": id}, ""},
		{"ListKeys", m{}, ""},
	} {
		charged = nil
		_, err := f.try(test.operation, encode(t, test.request))
		if e := (*call.Error)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %v", test.operation, err)
		}
		if got := strings.Join(charged, " "); got != test.want {
			t.Errorf("%s %v is charged to %q, want %q", test.operation, test.request, got, test.want)
		}
	}
}

// TestThrottledCallsLeaveNothing: no answer, no record.
func TestThrottledCallsLeaveNothing(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	requests := map[string]m{
		"Encrypt": plaintext(f, id, ""), "Decrypt": ciphertext(f, id, ""), "ReEncrypt": reencrypt(f, id, id),
		"GenerateDataKey": dataKey(f, id, ""), "GenerateRandom": {"NumberOfBytes": 1},
		"GenerateDataKeyWithoutPlaintext": {"KeyId": absent, "KeySpec": "AES_256"},
	}
	f.quota = func(group string) bool { return group != "symmetric" }
	before := f.node.Store.Status()
	for operation, request := range requests {
		if got, err := f.try(operation, encode(t, request)); !errors.Is(err, call.ErrThrottled) || got != nil {
			t.Errorf("%s: %v, %v", operation, got, err)
		}
	}
	if f.node.Store.Status() != before {
		t.Error("the state has changed")
	}
	f.do("DescribeKey", m{"KeyId": id})
}
