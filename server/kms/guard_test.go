package kms_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// begin runs an operation and leaves its transaction open. What it answers says
// whether the transaction commits, as an answer does that leaves a node late.
func (f *fixture) begin(operation string, request m) (commits func() bool) {
	f.Helper()
	op := f.operations[operation]
	decoded, err := op.Decode(encode(f, request))
	if err != nil {
		f.Fatal(err)
	}
	f.calls.Add(1)
	tx, c := fsm.NewTxn(f.node.View()), f.newCall()
	if _, _, err := record.Perform(f.Context(), tx, c, &op, decoded); err != nil {
		f.Fatal(err)
	}
	return func() bool {
		f.Helper()
		first := true
		_, err := f.node.Transact(f.Context(), f.account, func(again *fsm.Txn) error {
			if !first {
				return context.Canceled
			}
			first = false
			*again = *tx
			return nil
		})
		return err == nil
	}
}

// TestGuards commits a change between an operation and its commit: the operation
// must not be committed where the change would have altered its answer, and must
// be where it would not.
func TestGuards(t *testing.T) {
	policy := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`
	for _, test := range []struct {
		name, operation string
		request         func(f *fixture, id, other string) m
		change          string
		changed         func(f *fixture, id, other string) m
		commits         bool
	}{
		{"use of a key", "Encrypt", plaintext, "DisableKey", keyOnly, false},
		{"use of a key", "GenerateDataKey", dataKey, "ScheduleKeyDeletion", keyOnly, false},
		{"use of a key", "Decrypt", ciphertext, "DisableKey", keyOnly, false},
		{"use of a key", "GenerateDataKeyPair", keyPair, "DisableKey", keyOnly, false},
		{"source", "ReEncrypt", reencrypt, "DisableKey", keyOnly, false},
		{"destination", "ReEncrypt", reencrypt, "DisableKey", otherOnly, false},
		{"alias in use", "Encrypt", aliasUse, "UpdateAlias", aliasToOther, false},
		{"alias in use", "DescribeKey", aliasOnly, "DeleteAlias", aliasName, false},
		{"absent alias", "DescribeKey", newAliasOnly, "CreateAlias", newAlias, false},
		{"the same alias", "CreateAlias", newAlias, "CreateAlias", newAliasOfOther, false},
		{"alias and key", "CreateAlias", newAlias, "ScheduleKeyDeletion", keyOnly, false},
		{"quota of aliases", "CreateAlias", newAlias, "CreateAlias", anotherAlias, false},
		{"list of aliases", "ListAliases", keyOnly, "CreateAlias", newAlias, false},
		{"list of aliases", "ListAliases", keyOnly, "DeleteAlias", aliasName, false},
		{"list of aliases", "ListAliases", keyOnly, "UpdateAlias", aliasToOther, false},
		{"list of aliases of the new target", "ListAliases", otherOnly, "UpdateAlias", aliasToOther, false},
		{"tags", "ListResourceTags", keyOnly, "TagResource", tagging, false},
		{"tags", "ListResourceTags", keyOnly, "UntagResource", untagging, false},
		{"both tag", "TagResource", tagging, "TagResource", tagging, false},
		{"policy", "GetKeyPolicy", keyOnly, "PutKeyPolicy",
			func(_ *fixture, id, _ string) m { return m{"KeyId": id, "Policy": policy} }, false},
		{"use of a key", "Encrypt", plaintext, "PutKeyPolicy",
			func(_ *fixture, id, _ string) m { return m{"KeyId": id, "Policy": policy} }, false},
		{"metadata", "DescribeKey", keyOnly, "UpdateKeyDescription", description, false},
		{"use of a key", "Encrypt", plaintext, "RotateKeyOnDemand", keyOnly, false},
		{"both rotate", "RotateKeyOnDemand", keyOnly, "RotateKeyOnDemand", keyOnly, false},
		{"rotation of a key", "RotateKeyOnDemand", keyOnly, "DisableKey", keyOnly, false},
		{"list of rotations", "ListKeyRotations", keyOnly, "RotateKeyOnDemand", keyOnly, false},
		{"schedule", "GetKeyRotationStatus", keyOnly, "EnableKeyRotation", keyOnly, false},
		{"schedule", "EnableKeyRotation", keyOnly, "DisableKeyRotation", keyOnly, false},
		{"last use of a key that goes", "GetKeyLastUsage", keyOnly, "ScheduleKeyDeletion", keyOnly, false},
		{"refusal", "CancelKeyDeletion", keyOnly, "ScheduleKeyDeletion", keyOnly, false},
		{"both import", "ImportKeyMaterial", importing(1), "ImportKeyMaterial", importing(1), false},
		{"import of another", "ImportKeyMaterial", importing(1), "ImportKeyMaterial", importing(2), false},
		{"import", "ImportKeyMaterial", importing(1), "ScheduleKeyDeletion", importedOnly, false},
		{"wrapping key", "GetParametersForImport", parameters, "ScheduleKeyDeletion", importedOnly, false},
		{"metadata", "DescribeKey", importedOnly, "ImportKeyMaterial", importing(1), false},
		{"deletion of material", "DeleteImportedKeyMaterial", importedOnly, "ImportKeyMaterial", importing(1), false},
		{"import", "ImportKeyMaterial", importing(1), "DeleteImportedKeyMaterial", importedOnly, true},
		{"two wrapping keys", "GetParametersForImport", parameters, "GetParametersForImport", parameters, true},
		{"wrapping key and use", "ImportKeyMaterial", importing(1), "GetParametersForImport", parameters, true},

		{"two creations", "CreateKey", nothing, "CreateKey", nothing, true},
		{"two uses", "Encrypt", plaintext, "Encrypt", plaintext, true},
		{"use and use", "Decrypt", ciphertext, "GenerateDataKey", dataKey, true},
		{"another key", "Encrypt", plaintext, "DisableKey", otherOnly, true},
		{"another key's alias", "Encrypt", plaintext, "CreateAlias", newAliasOfOther, true},
		{"list of keys", "ListKeys", nothing, "CreateKey", nothing, true},
		{"list of all aliases", "ListAliases", nothing, "CreateAlias", newAlias, true},
		{"random bytes", "GenerateRandom", nothing, "CreateKey", nothing, true},
		{"creation and list", "CreateKey", nothing, "ListKeys", nothing, true},
		{"another key's rotation", "Encrypt", plaintext, "RotateKeyOnDemand", otherOnly, true},
		{"two rotations", "RotateKeyOnDemand", keyOnly, "RotateKeyOnDemand", otherOnly, true},
		{"two key pairs", "GenerateDataKeyPair", keyPair, "GenerateDataKeyPair", keyPair, true},
		{"last use of a busy key", "GetKeyLastUsage", keyOnly, "Encrypt", plaintext, true},
		{"use and its reader", "Encrypt", plaintext, "GetKeyLastUsage", keyOnly, true},
		{"enabled already", "Encrypt", plaintext, "EnableKey", keyOnly, true},
		{"tag that is not there", "ListResourceTags", keyOnly, "UntagResource",
			func(_ *fixture, id, _ string) m { return m{"KeyId": id, "TagKeys": []string{"none"}} }, true},
	} {
		t.Run(test.operation+" and "+test.change+": "+test.name, func(t *testing.T) {
			f := newFixture(t)
			id, _ := f.create(m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}})
			other, _ := f.create(m{})
			f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
			commits := f.begin(test.operation, test.request(f, id, other))
			f.do(test.change, test.changed(f, id, other))
			if got := commits(); got != test.commits {
				t.Errorf("commits: %v", got)
			}
		})
	}
}

func nothing(*fixture, string, string) m         { return m{"NumberOfBytes": 1} }
func keyOnly(_ *fixture, id, _ string) m         { return m{"KeyId": id} }
func otherOnly(_ *fixture, _, other string) m    { return m{"KeyId": other} }
func aliasOnly(*fixture, string, string) m       { return m{"KeyId": "alias/a"} }
func aliasName(*fixture, string, string) m       { return m{"AliasName": "alias/a"} }
func newAliasOnly(*fixture, string, string) m    { return m{"KeyId": "alias/new"} }
func plaintext(_ *fixture, id, _ string) m       { return m{"KeyId": id, "Plaintext": []byte("x")} }
func aliasUse(*fixture, string, string) m        { return m{"KeyId": "alias/a", "Plaintext": []byte("x")} }
func dataKey(_ *fixture, id, _ string) m         { return m{"KeyId": id, "KeySpec": "AES_256"} }
func keyPair(_ *fixture, id, _ string) m         { return m{"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"} }
func description(_ *fixture, id, _ string) m     { return m{"KeyId": id, "Description": "x"} }
func untagging(_ *fixture, id, _ string) m       { return m{"KeyId": id, "TagKeys": []string{"k"}} }
func ciphertext(f *fixture, id, _ string) m      { return m{"CiphertextBlob": f.encrypt(id, "x", nil)} }
func aliasToOther(_ *fixture, _, other string) m { return aliasRequest("alias/a", other) }
func newAlias(_ *fixture, id, _ string) m        { return aliasRequest("alias/new", id) }
func anotherAlias(_ *fixture, id, _ string) m    { return aliasRequest("alias/another", id) }
func newAliasOfOther(_ *fixture, _, o string) m  { return aliasRequest("alias/new", o) }
func aliasRequest(name, target string) m         { return m{"AliasName": name, "TargetKeyId": target} }
func tagging(_ *fixture, id, _ string) m {
	return m{"KeyId": id, "Tags": []m{{"TagKey": "new", "TagValue": "v"}}}
}

func reencrypt(f *fixture, id, other string) m {
	return m{"CiphertextBlob": f.encrypt(id, "x", nil), "DestinationKeyId": other}
}

// TestUseWritesOneRecord: what a use writes is key-usage, on which nobody guards. A
// busy key must not conflict with itself.
func TestUseWritesOneRecord(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	revisions := func() (revs []fsm.Rev) {
		for _, table := range []string{state.Keys.Name, state.KeyMaterials.Name, state.Aliases.Name, state.KeyAliases.Name,
			state.KeyTags.Name, state.KeyPolicies.Name, state.Deletions.Name, state.Rotations.Name} {
			err := f.node.View().Scan(fsm.NewKey(table), "", func(_ fsm.Key, rec *fsm.Record) (bool, error) {
				revs = append(revs, rec.Rev)
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return revs
	}
	before := revisions()
	f.do("Decrypt", m{"CiphertextBlob": f.encrypt(id, "x", nil)})
	f.do("ReEncrypt", reencrypt(f, id, id))
	f.do("GenerateDataKey", dataKey(f, id, ""))
	f.do("DescribeKey", m{"KeyId": id})
	if after := revisions(); len(after) != len(before) || after[0] != before[0] || after[1] != before[1] {
		t.Errorf("records %v have become %v", before, after)
	}
}

// TestDisableIsObeyedEverywhere is the story that guards are for: a node that
// has not heard of a DisableKey encrypts, and its answer never leaves.
func TestDisableIsObeyedEverywhere(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	once := true
	f.node.Before = func() {
		if once {
			once = false
			f.do("DisableKey", m{"KeyId": id})
		}
	}
	_, err := f.try("Encrypt", encode(t, m{"KeyId": id, "Plaintext": []byte("x")}))
	if want := (&call.Error{Code: "DisabledException", Message: arn + " is disabled."}); err == nil || err.Error() != want.Error() {
		t.Errorf("got %v", err)
	}
}

// TestConcurrentAliases lets many callers move the same aliases between the same
// keys, and then holds the index of aliases by key against the aliases.
func TestConcurrentAliases(t *testing.T) {
	f := newFixture(t)
	var keys []string
	for range 3 {
		id, _ := f.create(m{})
		keys = append(keys, id)
	}
	var callers sync.WaitGroup
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 0))
		callers.Go(func() {
			for range 150 {
				name, key := fmt.Sprintf("alias/%d", random.IntN(4)), keys[random.IntN(len(keys))]
				operation := []string{"CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases"}[random.IntN(4)]
				request := m{"AliasName": name, "TargetKeyId": key}
				if operation == "ListAliases" {
					request = m{"KeyId": key}
				}
				got, err := f.try(operation, encode(t, request))
				if e := (*call.Error)(nil); err != nil && !errors.As(err, &e) {
					t.Errorf("%s: %v", operation, err)
				}
				for _, alias := range got.list("Aliases") {
					if alias.(map[string]any)["TargetKeyId"] != key {
						t.Errorf("the aliases of %s are %v", key, got)
					}
				}
			}
		})
	}
	callers.Wait()
	targets, indexed := map[string]string{}, map[string]string{}
	err := errors.Join(
		state.Aliases.Scan(f.node.View(), nil, nil, func(_ []string, a *state.Alias) (bool, error) {
			targets[a.Name] = a.KeyID
			return true, nil
		}),
		state.KeyAliases.Scan(f.node.View(), nil, nil, func(id []string, _ *state.KeyAlias) (bool, error) {
			indexed[id[3]] += id[2]
			return true, nil
		}))
	if err != nil || fmt.Sprint(targets) != fmt.Sprint(indexed) {
		t.Errorf("the aliases are %v, the index says %v, %v", targets, indexed, err)
	}
}
