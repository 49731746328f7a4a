package kms_test

import (
	"strings"
	"testing"
)

// keyPolicy is a policy that leaves the key to its account, and more statements.
func keyPolicy(statements ...string) string {
	all := append([]string{`{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"kms:*","Resource":"*"}`}, statements...)
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

// TestGrantsBesidePolicies: a grant alone is enough, also within the account, and
// an explicit denial is stronger, wherever it stands.
func TestGrantsBesidePolicies(t *testing.T) {
	f := newFixture(t)
	eve, ann := f.user(account, "eve"), f.user(foreign, "ann")
	id, arn := f.create(m{})
	use := m{"KeyId": arn, "Plaintext": []byte("x")}
	f.as(eve, func() { f.refuse("Encrypt", use, noIdentityPolicy(eve, "Encrypt", arn)) })
	f.grant(id, eve, nil, "Encrypt")
	f.grant(id, ann, nil, "Encrypt")
	f.as(eve, func() {
		f.do("Encrypt", use)
		f.refuse("DescribeKey", m{"KeyId": id}, noIdentityPolicy(eve, "DescribeKey", arn))
	})
	f.as(ann, func() { f.do("Encrypt", use) })

	deny := `{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"` + foreign + `"}}}`
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(deny)})
	f.as(eve, func() {
		f.refuse("Encrypt", use, "AccessDeniedException: User: "+eve.ARN+" is not authorized to perform: kms:Encrypt on resource: "+arn+
			" with an explicit deny in a resource-based policy")
	})
	f.as(ann, func() { f.do("Encrypt", use) })
	f.identityPolicy(ann, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Enc*","Resource":"*"}}`)
	f.as(ann, func() {
		if _, err := f.try("Encrypt", encode(t, use)); err == nil || !strings.HasPrefix(err.Error(), "AccessDeniedException") {
			t.Errorf("a denial by the grantee's own policy is answered %v", err)
		}
	})
}

// TestDelegationByPolicy: who may CreateGrant by policies makes any grant, also
// one that allows what the maker may not do, and also one who has a narrow grant
// beside that. Conditions of the policies limit it.
func TestDelegationByPolicy(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user("777788889999", "bob")
	id, arn := f.create(m{})
	f.grant(id, ann, m{"Constraints": equals("a", "1")}, "Decrypt", "CreateGrant")
	wanted := m{"KeyId": arn, "GranteePrincipal": bob.ARN, "Operations": []string{"Encrypt", "Decrypt"}}
	f.as(ann, func() { f.refuse("CreateGrant", wanted, denied(ann, "CreateGrant")) })
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(`{"Effect":"Allow","Principal":{"AWS":"` + ann.ARN + `"},"Action":"kms:CreateGrant",` +
		`"Resource":"*","Condition":{"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]}}}`)})
	f.allow(ann, "kms:CreateGrant")
	f.as(ann, func() {
		f.do("CreateGrant", wanted)
		wanted["Operations"] = []string{"Encrypt", "DescribeKey"}
		if _, err := f.try("CreateGrant", encode(t, wanted)); err == nil || !strings.HasPrefix(err.Error(), "AccessDeniedException") {
			t.Errorf("operations that the policy does not allow are answered %v", err)
		}
	})
	f.as(bob, func() { f.do("Encrypt", m{"KeyId": arn, "Plaintext": []byte("x")}) })
}
