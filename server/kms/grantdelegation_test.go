package kms_test

import (
	"testing"

	"github.com/cofre-kms/cofre/server/call"
)

// TestDelegation: who makes grants by the right of a grant makes none that allows
// more.
func TestDelegation(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user("777788889999", "bob")
	for _, test := range []struct {
		name        string
		constraint  m // of the grant that Ann has: Encrypt, Decrypt, CreateGrant
		wants       m // of the grant that she makes for Bob
		operations  []string
		mayDelegate bool
	}{
		{"fewer operations", nil, nil, []string{"Decrypt"}, true},
		{"the same operations", nil, nil, []string{"Encrypt", "Decrypt", "CreateGrant"}, true},
		{"another operation", nil, nil, []string{"Decrypt", "DescribeKey"}, false},
		{"a new constraint", nil, subset("a", "1"), []string{"Decrypt"}, true},
		{"no constraint", subset("a", "1"), nil, []string{"Decrypt"}, false},
		{"the same subset", subset("a", "1"), subset("a", "1"), []string{"Decrypt"}, true},
		{"a larger subset", subset("b", "1"), subset("a", "0", "b", "1"), []string{"Decrypt"}, true},
		{"a subset that lost a pair", subset("a", "1", "b", "2"), subset("a", "1"), []string{"Decrypt"}, false},
		{"another subset", subset("a", "1"), subset("a", "2"), []string{"Decrypt"}, false},
		{"a subset that becomes an equality", subset("a", "1"), equals("a", "1", "b", "2"), []string{"Decrypt"}, true},
		{"an equality without the subset", subset("a", "1"), equals("b", "2"), []string{"Decrypt"}, false},
		{"the same equality", equals("a", "1"), equals("a", "1"), []string{"Decrypt"}, true},
		{"an equality of more", equals("a", "1"), equals("a", "1", "b", "2"), []string{"Decrypt"}, false},
		{"an equality that becomes a subset", equals("a", "1"), subset("a", "1"), []string{"Decrypt"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, arn := f.create(m{})
			f.grant(id, ann, m{"Constraints": test.constraint}, "Encrypt", "Decrypt", "CreateGrant")
			request := m{"KeyId": arn, "GranteePrincipal": bob.ARN, "Operations": test.operations, "Constraints": test.wants}
			f.as(ann, func() {
				if !test.mayDelegate {
					f.refuse("CreateGrant", request, denied(ann, "CreateGrant"))
					return
				}
				f.do("CreateGrant", request)
			})
		})
	}
}

// TestDelegatedGrant: a grant that was made by the right of a grant is one of its
// own, and the account of its maker may retire it.
func TestDelegatedGrant(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user("777788889999", "bob")
	id, arn := f.create(m{})
	first, _ := f.grant(id, ann, nil, "Decrypt", "CreateGrant")
	blob := m{"CiphertextBlob": f.encrypt(id, "x", nil)}
	var second, token string
	f.as(ann, func() { second, token = f.grant(arn, bob, nil, "Decrypt") })
	f.do("RevokeGrant", m{"KeyId": id, "GrantId": first})
	f.as(bob, func() {
		f.do("Decrypt", blob)
		f.refuse("CreateGrant", m{"KeyId": arn, "GranteePrincipal": ann.ARN, "Operations": []string{"Decrypt"}}, denied(bob, "CreateGrant"))
		f.refuse("RetireGrant", m{"GrantToken": token}, denied(bob, "RetireGrant"))
	})
	list := f.do("ListGrants", m{"KeyId": id}).list("Grants")
	if len(list) != 1 || list[0].(map[string]any)["IssuingAccount"] != "arn:aws:iam::"+foreign+":root" {
		t.Errorf("the grants are %v", list)
	}
	f.as(ann, func() {
		f.refuse("RetireGrant", m{"KeyId": arn, "GrantId": second}, noIdentityPolicy(ann, "RetireGrant", arn))
	})
	f.allow(ann, "kms:RetireGrant")
	f.as(ann, func() { f.do("RetireGrant", m{"KeyId": arn, "GrantId": second}) })
	f.as(bob, func() {
		f.refuse("Decrypt", m{"KeyId": arn, "CiphertextBlob": blob["CiphertextBlob"]}, denied(bob, "Decrypt"))
	})
}

// TestRetireGrant: whom a grant allows to retire it, and how it is named.
func TestRetireGrant(t *testing.T) {
	f := newFixture(t)
	grantee, retirer := f.user(foreign, "grantee"), f.user("777788889999", "retirer")
	stranger := f.user("777788889999", "stranger")
	id, arn := f.create(m{})
	owner := f.user(account, "other")
	f.allow(owner, "kms:RetireGrant")
	for _, test := range []struct {
		who        *call.Principal
		operations []string
		allowed    bool
	}{
		{grantee, []string{"Decrypt"}, false},
		{grantee, []string{"Decrypt", "RetireGrant"}, true},
		{retirer, []string{"Decrypt"}, true},
		{stranger, []string{"Decrypt", "RetireGrant"}, false},
		{owner, []string{"Decrypt"}, true},
	} {
		more := m{"RetiringPrincipal": retirer.ARN, "Constraints": equals("a", "1")} // which do not matter to RetireGrant
		for _, name := range []func(grantID, token string) m{
			func(_, token string) m { return m{"GrantToken": token} },
			func(grantID, _ string) m { return m{"KeyId": arn, "GrantId": grantID} },
		} {
			grantID, token := f.grant(id, grantee, more, test.operations...)
			request := name(grantID, token)
			f.as(test.who, func() {
				if !test.allowed {
					f.refuse("RetireGrant", request, denied(test.who, "RetireGrant"))
					return
				}
				request["DryRun"] = true
				f.refuse("RetireGrant", request, dryRun)
				delete(request, "DryRun")
				if got := f.do("RetireGrant", request); got != nil {
					t.Errorf("answers %v", got)
				}
				if e := f.event(); e.RequestParameters != nil || f.recorded(additional) != `{"grantId":"`+grantID+`"}` ||
					f.recorded(responseElements) != `{"keyId":"`+arn+`"}` || f.resources() != "AWS::KMS::Key "+arn {
					t.Errorf("records %+v", e)
				}
			})
		}
	}
	f.allow(retirer, "kms:ListRetirableGrants")
	f.as(retirer, func() { // who may retire may do nothing else
		f.refuse("DescribeKey", m{"KeyId": arn}, denied(retirer, "DescribeKey"))
		list := f.do("ListRetirableGrants", m{"RetiringPrincipal": retirer.ARN, "Limit": 100}).list("Grants")
		f.refuse("RevokeGrant", m{"KeyId": arn, "GrantId": list[0].(map[string]any)["GrantId"]}, denied(retirer, "RevokeGrant"))
	})
}

const dryRun = "DryRunOperationException: The request would have succeeded, but the DryRun option is set."

func TestEndingGrantsRefusals(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	id, arn := f.create(m{})
	none := "0000000000000000000000000000000000000000000000000000000000000000"
	grantID, token := f.grant(id, ann, nil, "Decrypt")
	which := "ValidationException: Grant token OR (grant ID, key ID) must be specified"
	for _, request := range []m{{}, {"KeyId": arn}, {"GrantId": grantID}, {"GrantToken": token, "KeyId": arn, "GrantId": grantID}} {
		f.refuse("RetireGrant", request, which)
	}
	for _, bad := range []string{"x", "AAAA", token[:len(token)-4], token + "AAAA", token[1:]} {
		_, err := f.try("RetireGrant", encode(t, m{"GrantToken": bad}))
		if e, ok := err.(*call.Error); !ok || e.Code != "InvalidGrantTokenException" && e.Code != "NotFoundException" {
			t.Errorf("token %s: %v", bad, err)
		}
	}
	f.refuse("RetireGrant", m{"KeyId": "alias/a", "GrantId": grantID}, "NotFoundException: Invalid keyId 'alias/a'")
	f.refuse("RetireGrant", m{"KeyId": absent, "GrantId": grantID}, "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
	f.refuse("RetireGrant", m{"KeyId": id, "GrantId": none}, "NotFoundException: Grant ID "+none+" not found")
	f.refuse("RevokeGrant", m{"KeyId": id, "GrantId": "any"}, "NotFoundException: Grant ID any not found")
	f.refuse("RevokeGrant", m{"KeyId": absent, "GrantId": grantID}, "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
	f.refuse("RevokeGrant", m{"KeyId": id, "GrantId": grantID, "DryRun": true}, dryRun)
	if p := f.recorded(requestParameters); p != `{"dryRun":true,"grantId":"`+grantID+`","keyId":"`+id+`"}` {
		t.Errorf("records %s", p)
	}
	f.refuse("CreateGrant", m{"KeyId": id, "GranteePrincipal": ann.ARN, "Operations": []string{"Decrypt"}, "DryRun": true}, dryRun)
	if n := len(f.do("ListGrants", m{"KeyId": id}).list("Grants")); n != 1 {
		t.Errorf("after dry runs there are %d grants", n)
	}
	f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID})
	if f.recorded(requestParameters) != `{"grantId":"`+grantID+`","keyId":"`+id+`"}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("records %+v", f.event())
	}
	f.refuse("RevokeGrant", m{"KeyId": id, "GrantId": grantID}, "NotFoundException: Grant ID "+grantID+" not found")
	f.refuse("RetireGrant", m{"GrantToken": token}, "NotFoundException: Grant ID "+grantID+" not found")
	f.as(ann, func() { f.refuse("RetireGrant", m{"GrantToken": token}, denied(ann, "RetireGrant")) })
	f.noTrace(grantID)
}
