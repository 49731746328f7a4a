package kms_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// actionsOf are the actions that an operation needs ("AWS KMS permissions" in the
// KMS developer guide).
func actionsOf(operation string) []string {
	switch operation {
	case "ReEncrypt":
		return []string{"ReEncryptFrom", "ReEncryptTo"}
	case "ReplicateKey":
		return []string{"ReplicateKey", "CreateKey"}
	}
	return []string{operation}
}

// withoutKey are the operations that concern no key of another account.
func withoutKey(operation string) bool {
	return strings.Contains(operation, "CustomKeyStore") ||
		slices.Contains([]string{"CreateKey", "ListKeys", "GenerateRandom", "ListRetirableGrants"}, operation)
}

// usable are the operations that AWS has across accounts, as far as the matrix
// prepares them.
func usable(operation string) bool {
	return slices.Contains([]string{"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey",
		"GenerateDataKeyWithoutPlaintext", "GenerateMac", "VerifyMac", "GetKeyLastUsage", "GetKeyRotationStatus", "GetPublicKey", "ListGrants",
		"ListKeyRotations", "ReEncrypt", "RetireGrant", "RevokeGrant", "Sign", "Verify", "Encapsulate", "Decapsulate",
		"DeriveSharedSecret", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}, operation)
}

// trial is an operation that somebody tries on keys of their own making.
type trial struct {
	*testing.T
	operation string
}

// by makes a request of the operation as somebody, with the key named by its
// ARN, after setup has changed things. It answers the denial, "" where the caller
// is not denied.
func (r trial) by(who func(*fixture) *call.Principal, setup func(*fixture)) string {
	r.Helper()
	f := newFixture(r)
	request := f.tryable(r.operation)
	for _, name := range []string{"KeyId", "TargetKeyId", "DestinationKeyId"} {
		if id, ok := request[name].(string); ok && !strings.Contains(id, "/") {
			request[name] = keyARN(id)
		}
	}
	if setup != nil {
		setup(f)
	}
	caller := who(f)
	if r.operation == "ListRetirableGrants" {
		request["RetiringPrincipal"] = caller.ARN
	}
	var failure error
	f.as(caller, func() { _, failure = f.try(r.operation, encode(f, request)) })
	var refused *call.Error
	switch {
	case failure == nil:
		return ""
	case errors.As(failure, &refused) && refused.Code == "AccessDeniedException":
		return refused.Message
	case errors.As(failure, &refused) && (refused.Code == "KMSInvalidStateException" || refused.Code == "XksProxyInvalidConfigurationException"):
		return "" // after the decision
	}
	r.Fatalf("%s: %v", caller.ARN, failure)
	return ""
}

// withPolicy is a user of an account with a policy of its own, "" for none.
func withPolicy(account, name, text string) func(*fixture) *call.Principal {
	return func(f *fixture) *call.Principal {
		who := f.user(account, name)
		if text != "" {
			f.identityPolicy(who, text)
		}
		return who
	}
}

// everyKey gives all keys of the account a policy.
func everyKey(policy func(f *fixture) string) func(*fixture) {
	return func(f *fixture) {
		text := policy(f)
		scan(f, state.Keys, []string{account, region}, func(_ []string, k *state.Key) {
			f.do("PutKeyPolicy", m{"KeyId": k.ID, "Policy": text, "BypassPolicyLockoutSafetyCheck": true})
		})
	}
}

func only(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:` + strings.Join(actions, `","kms:`) + `"],"Resource":"*"}}`
}

func allBut(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},` +
		`{"Effect":"Deny","Action":"kms:` + action + `","Resource":"*"}]}`
}

// TestWhoMayDoWhat is the matrix of all operations by the kinds of principals.
func TestWhoMayDoWhat(t *testing.T) {
	for operation := range newFixture(t).operations {
		t.Run(operation, func(t *testing.T) {
			r := trial{t, operation}
			r.own()
			if withoutKey(operation) || strings.Contains(operation, "Alias") { // these are about the caller's own account
				return
			}
			r.foreign()
			r.named()
		})
	}
}

// own: principals of the key's account, with the default key policy.
func (r trial) own() {
	actions := actionsOf(r.operation)
	for name, who := range map[string]func(*fixture) *call.Principal{
		"the administrator": func(*fixture) *call.Principal { return admin(account) },
		"the root user": func(*fixture) *call.Principal {
			return &call.Principal{Type: "Root", AccountID: account, ARN: "arn:aws:iam::" + account + ":root", PrincipalID: account}
		},
		"a user with a policy": withPolicy(account, "user", only(actions...)),
	} {
		if got := r.by(who, nil); got != "" {
			r.Errorf("%s: %s", name, got)
		}
	}
	denied := func(policy, action, because string) {
		r.Helper()
		got := r.by(withPolicy(account, "user", policy), nil)
		start := "User: arn:aws:iam::" + account + ":user/team/user is not authorized to perform: kms:" + action + " on resource: "
		if !strings.HasPrefix(got, start) || !strings.HasSuffix(got, because) {
			r.Errorf("got %q, want %s… %s", got, start, because)
		}
	}
	denied("", actions[0], " because no identity-based policy allows the kms:"+actions[0]+" action")
	for _, action := range actions {
		denied(allBut(action), action, " with an explicit deny in an identity-based policy")
	}
}

// foreign: principals of another account, without and with both sides.
func (r trial) foreign() {
	everything := withPolicy(foreign, "carol", only("*"))
	got := r.by(everything, nil)
	if !strings.Contains(got, " on this resource because the resource does not exist in this Region") &&
		// A ciphertext alone names the key to Decrypt and ReEncrypt.
		!strings.HasPrefix(got, "The ciphertext refers to a customer master key that does not exist") {
		r.Errorf("of another account: %q", got)
	}
	if r.operation == "RetireGrant" { // in which the key's policy has no say
		return
	}
	share := everyKey(func(*fixture) string { return shared(`{"AWS":"` + foreign + `"}`) })
	if got := r.by(everything, share); (got == "") != usable(r.operation) {
		r.Errorf("with both sides: %q", got)
	}
	if got := r.by(withPolicy(foreign, "carol", ""), share); got == "" {
		r.Errorf("with the key's side alone it is allowed")
	}
}

// named: a key policy that names one user and nobody else.
func (r trial) named() {
	if r.operation == "RetireGrant" {
		return
	}
	dora := withPolicy(account, "dora", only("CreateKey")) // which ReplicateKey needs, and no key gives
	name := everyKey(func(f *fixture) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + dora(f).ARN + `"},"Action":"kms:*","Resource":"*"}}`
	})
	if r.operation != "UpdatePrimaryRegion" { // which is about a key of another Region, too
		if got := r.by(dora, name); got != "" {
			r.Errorf("whom the key policy names: %s", got)
		}
	}
	action := actionsOf(r.operation)[0]
	want := " because no resource-based policy allows the kms:" + action + " action"
	if got := r.by(func(*fixture) *call.Principal { return admin(account) }, name); !strings.HasSuffix(got, want) {
		r.Errorf("the administrator: %q", got)
	}
}

// shared is a key policy that leaves the key to its account and lets others do
// everything.
func shared(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"kms:*","Resource":"*"},` +
		`{"Effect":"Allow","Principal":` + principal + `,"Action":"kms:*","Resource":"*"}]}`
}

// TestAliasesNeedBothSides: CreateAlias, DeleteAlias and UpdateAlias need the
// alias and each key.
func TestAliasesNeedBothSides(t *testing.T) {
	f := newFixture(t)
	user := f.user(account, "user")
	a, aARN := f.create(m{})
	b, bARN := f.create(m{})
	allow := func(resources ...string) {
		f.identityPolicy(user, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*Alias","Resource":["`+
			strings.Join(resources, `","`)+`"]}}`)
	}
	const alias = "arn:aws:kms:" + region + ":" + account + ":alias/x"
	for _, step := range []struct {
		operation string
		request   m
		resources []string
	}{
		{"CreateAlias", m{"AliasName": "alias/x", "TargetKeyId": a}, []string{alias, aARN}},
		{"UpdateAlias", m{"AliasName": "alias/x", "TargetKeyId": b}, []string{alias, bARN, aARN}},
		{"DeleteAlias", m{"AliasName": "alias/x"}, []string{alias, bARN}},
	} {
		for i, missing := range step.resources {
			allow(append(slices.Delete(slices.Clone(step.resources), i, i+1), "arn:aws:kms:"+region+":"+account+":key/none")...)
			f.as(user, func() { f.refuse(step.operation, step.request, noIdentityPolicy(user, step.operation, missing)) })
		}
		allow(step.resources...)
		f.as(user, func() { f.do(step.operation, step.request) })
	}
	// The alias in Resource never authorizes the use of the key.
	f.do("CreateAlias", m{"AliasName": "alias/x", "TargetKeyId": a})
	f.identityPolicy(user, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"`+alias+`"}}`)
	f.as(user, func() {
		f.refuse("Encrypt", m{"KeyId": "alias/x", "Plaintext": []byte("x")}, noIdentityPolicy(user, "Encrypt", aARN))
	})
}

// TestCreateKeyWithTags needs kms:TagResource besides.
func TestCreateKeyWithTags(t *testing.T) {
	f := newFixture(t)
	user := f.user(account, "user")
	tagged := m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}}
	f.identityPolicy(user, only("CreateKey"))
	f.as(user, func() {
		f.do("CreateKey", m{})
		f.refuse("CreateKey", tagged, noIdentityPolicy(user, "TagResource", "*"))
	})
	f.identityPolicy(user, only("CreateKey", "TagResource"))
	f.as(user, func() { f.do("CreateKey", tagged) })
}

// TestAbsentKeys: that a key does not exist hears only who might use it if it
// did.
func TestAbsentKeys(t *testing.T) {
	f := newFixture(t)
	user := f.user(account, "user")
	describe := m{"KeyId": absent}
	f.as(user, func() { f.refuse("DescribeKey", describe, noIdentityPolicy(user, "DescribeKey", keyARN(absent))) })
	f.identityPolicy(user, only("DescribeKey"))
	f.as(user, func() {
		f.refuse("DescribeKey", describe, "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
	})
	carol := f.user(foreign, "carol")
	f.identityPolicy(carol, only("*"))
	f.as(carol, func() { f.refuse("DescribeKey", m{"KeyId": keyARN(absent)}, denied(carol, "DescribeKey")) })
}

// TestPrincipalsOfKeyPolicies: a key policy means the user that it named, not
// another one of the name; and shows one that is no more by its id.
func TestPrincipalsOfKeyPolicies(t *testing.T) {
	f := newFixture(t)
	ann := f.user(account, "ann")
	id, arn := f.create(m{})
	policy := shared(`{"AWS":"` + ann.ARN + `"}`)
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": policy})
	f.as(ann, func() { f.do("DescribeKey", m{"KeyId": id}) })
	namesake := *ann
	namesake.PrincipalID = "AIDANEW"
	f.as(&namesake, func() { f.refuse("DescribeKey", m{"KeyId": id}, noIdentityPolicy(ann, "DescribeKey", arn)) })
	show := func() string { return f.do("GetKeyPolicy", m{"KeyId": id}).text("Policy") }
	if got := show(); got != policy {
		t.Errorf("the policy is %s", got)
	}
	f.write(func(tx *fsm.Txn) error { state.Identities.Delete(tx, ann.PrincipalID); return nil })
	if got := show(); got != strings.ReplaceAll(policy, ann.ARN, ann.PrincipalID) {
		t.Errorf("without the user, the policy is %s", got)
	}
	f.refuse("PutKeyPolicy", m{"KeyId": id, "Policy": show()}, malformed+"Policy contains a statement with one or more invalid principals.")
}

// TestKeyPolicyIsObeyedEverywhere: a node that has not heard of a new key policy,
// or of a user's new policy, decrypts, and its answer never leaves.
func TestKeyPolicyIsObeyedEverywhere(t *testing.T) {
	for name, change := range map[string]func(f *fixture, id string, user *call.Principal){
		"key policy": func(f *fixture, id string, user *call.Principal) {
			deny := strings.Replace(shared(`{"AWS":"`+user.ARN+`"}`), `},{"Effect":"Allow"`, `},{"Effect":"Deny"`, 1)
			f.as(admin(account), func() { f.do("PutKeyPolicy", m{"KeyId": id, "Policy": deny}) })
		},
		"identity policy": func(f *fixture, _ string, user *call.Principal) { f.identityPolicy(user, allBut("Decrypt")) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			user := f.user(account, "user")
			f.identityPolicy(user, only("Decrypt"))
			id, arn := f.create(m{})
			blob := f.encrypt(id, "x", nil)
			f.node.Before = func() {
				f.node.Before = nil
				change(f, id, user)
			}
			f.as(user, func() {
				_, err := f.try("Decrypt", encode(f, m{"CiphertextBlob": blob, "KeyId": arn}))
				if err == nil || !strings.Contains(err.Error(), "with an explicit deny in a") {
					t.Errorf("Decrypt: %v", err)
				}
			})
		})
	}
}

// TestUsersOfPoliciesPayForNoGrants: whom a policy allows costs a few reads, none
// of them of grants, however many the key has.
func TestUsersOfPoliciesPayForNoGrants(t *testing.T) {
	f := newFixture(t)
	ann, user := f.user(foreign, "ann"), f.user(account, "user")
	f.identityPolicy(user, only("Encrypt"))
	id, arn := f.create(m{})
	encrypt := m{"KeyId": arn, "Plaintext": []byte("x")}
	measure := func() (reads int) {
		f.as(user, func() {
			reads = f.cost("Encrypt", encrypt).reads
		})
		return reads
	}
	before := measure()
	for range 20 {
		f.grant(id, ann, nil, "Encrypt")
		f.grant(id, user, nil, "Encrypt")
	}
	if after := measure(); after != before || before > 5 { // directory, key, its policy, its material
		t.Errorf("it reads %d records without grants and %d with them", before, after)
	}
	f.identityPolicy(user, only("Decrypt")) // now the grants are what allows
	if got := measure(); got <= before {
		t.Errorf("by a grant it reads %d records, %d without", got, before)
	}
}
