package iam_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

const conditional = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*:*:key/*",
"Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com","aws:PrincipalTag/Team":"${aws:username}"}}}]}`

// decisions are the EvalDecision elements of an answer.
func decisions(answer string) string { return strings.Join(values(answer, "EvalDecision"), " ") }

func TestSimulateCustomPolicy(t *testing.T) {
	f := newFixture(t)
	allow, deny := document("Allow", "kms:Encrypt kms:Decrypt"), document("Deny", "kms:Decrypt")
	got := f.ok("SimulateCustomPolicy", "PolicyInputList.member.1", allow, "PolicyInputList.member.2", deny,
		"ActionNames.member.1", "kms:Encrypt", "ActionNames.member.2", "kms:Decrypt", "ActionNames.member.3", "kms:Sign")
	if decisions(got) != "allowed explicitDeny implicitDeny" {
		t.Errorf("%s", got)
	}
	if ids := strings.Join(values(got, "SourcePolicyId"), " "); ids != "PolicyInputList.1 PolicyInputList.2" {
		t.Errorf("decided by %s", ids)
	}
	f.has(f.recorded(), `"actionNames":["kms:Encrypt","kms:Decrypt","kms:Sign"]`)

	const key = "arn:aws:kms:us-east-1:111122223333:key/k"
	simulate := func(more ...string) string {
		t.Helper()
		return f.ok("SimulateCustomPolicy", append([]string{"PolicyInputList.member.1", conditional, "ActionNames.member.1", "kms:Decrypt",
			"ResourceArns.member.1", key, "ResourceArns.member.2", "arn:aws:s3:::b"}, more...)...)
	}
	got = simulate()
	if decisions(got) != "implicitDeny implicitDeny" || !strings.Contains(got, "<MissingContextValues><member>kms:ViaService</member></MissingContextValues>") {
		t.Errorf("%s", got)
	}
	entry := func(n int, name string, value string) []string {
		at := "ContextEntries.member." + strconv.Itoa(n) + "."
		return []string{at + "ContextKeyName", name, at + "ContextKeyType", "string", at + "ContextKeyValues.member.1", value}
	}
	context := append(entry(1, "KMS:ViaService", "s3.us-east-1.amazonaws.com"), append(entry(2, "aws:principaltag/team", "ann"), entry(3, "aws:username", "ann")...)...)
	if got := simulate(context...); decisions(got) != "allowed implicitDeny" {
		t.Errorf("%s", got)
	}
	got = simulate(append(context, "PermissionsBoundaryPolicyInputList.member.1", document("Allow", "kms:Encrypt"))...)
	if decisions(got) != "implicitDeny implicitDeny" || strings.Count(got, "<AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary>") != 2 {
		t.Errorf("%s", got)
	}

	// A page at a time.
	page := simulate(append(context, "MaxItems", "1")...)
	f.has(page, "<IsTruncated>true</IsTruncated>", "<EvalDecision>allowed</EvalDecision>")
	page = simulate(append(context, "MaxItems", "1", "Marker", f.value(page, "Marker"))...)
	f.has(page, "<IsTruncated>false</IsTruncated>", "<EvalResourceName>arn:aws:s3:::b</EvalResourceName>")

	form := []string{"PolicyInputList.member.1", allow, "ActionNames.member.1"}
	f.refuse("InvalidInput: Invalid Entity Action: kms:*", "SimulateCustomPolicy", append(form, "kms:*")...)
	f.refuse("InvalidInput: Invalid Entity Action: Encrypt", "SimulateCustomPolicy", append(form, "Encrypt")...)
	f.refuse("ValidationError: Invalid Marker.", "SimulateCustomPolicy", append(form, "kms:A", "Marker", "!")...)
	if _, err := f.do("SimulateCustomPolicy", "PolicyInputList.member.1", "{}", "ActionNames.member.1", "kms:A"); err == nil || !strings.HasPrefix(err.Error(), "InvalidInput: PolicyInputList.1: ") {
		t.Errorf("no policy: %v", err)
	}
}

// TestSimulateResourcePolicy: both sides of two accounts.
func TestSimulateResourcePolicy(t *testing.T) {
	f := newFixture(t)
	ann := "arn:aws:iam::" + f.root.AccountID + ":user/ann"
	sharing := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + ann + `"},"Action":"kms:Decrypt","Resource":"*"}]}`
	form := []string{"ActionNames.member.1", "kms:Decrypt", "ResourcePolicy", sharing, "ResourceOwner", "arn:aws:iam::111122223333:root"}
	if got := f.ok("SimulateCustomPolicy", append(form, "PolicyInputList.member.1", document("Allow", "kms:Decrypt"), "CallerArn", ann)...); decisions(got) != "allowed" {
		t.Errorf("%s", got)
	}
	if got := f.ok("SimulateCustomPolicy", append(form, "PolicyInputList.member.1", document("Allow", "kms:Encrypt"), "CallerArn", ann)...); decisions(got) != "implicitDeny" {
		t.Errorf("%s", got)
	}
	f.refuse("InvalidInput: CallerArn is required with a ResourcePolicy.", "SimulateCustomPolicy", append(form, "PolicyInputList.member.1", sharing[:0]+document("Allow", "kms:*"))...)
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	f.ok("CreateGroup", "GroupName", "g")
	f.ok("AddUserToGroup", "UserName", "u", "GroupName", "g")
	f.ok("PutUserPolicy", "UserName", "u", "PolicyName", "mine", "PolicyDocument", document("Allow", "kms:Encrypt"))
	f.ok("PutGroupPolicy", "GroupName", "g", "PolicyName", "ours", "PolicyDocument", document("Allow", "kms:Decrypt"))
	own := f.value(f.ok("CreatePolicy", "PolicyName", "P", "PolicyDocument", conditional), "Arn")
	f.ok("AttachUserPolicy", "UserName", "u", "PolicyArn", own)
	f.ok("AttachGroupPolicy", "GroupName", "g", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	prefix := "arn:aws:iam::" + f.root.AccountID
	actions := []string{"ActionNames.member.1", "kms:Encrypt", "ActionNames.member.2", "kms:Decrypt", "ActionNames.member.3", "kms:DescribeKey"}
	got := f.ok("SimulatePrincipalPolicy", append(actions, "PolicySourceArn", prefix+":user/u")...)
	if decisions(got) != "allowed allowed allowed" || strings.Join(values(got, "SourcePolicyId"), " ") != "mine ours arn:aws:iam::aws:policy/ReadOnlyAccess" ||
		strings.Join(values(got, "SourcePolicyType"), " ") != "aws-managed" {
		t.Errorf("%s", got)
	}
	if got := f.ok("SimulatePrincipalPolicy", append(actions, "PolicySourceArn", prefix+":group/g")...); decisions(got) != "implicitDeny allowed allowed" {
		t.Errorf("%s", got)
	}
	f.ok("PutUserPermissionsBoundary", "UserName", "u", "PermissionsBoundary", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	got = f.ok("SimulatePrincipalPolicy", append(actions, "PolicySourceArn", prefix+":user/u", "PolicyInputList.member.1", document("Deny", "kms:DescribeKey"))...)
	if decisions(got) != "implicitDeny implicitDeny explicitDeny" {
		t.Errorf("%s", got)
	}
	if got := strings.Join(values(f.ok("GetContextKeysForPrincipalPolicy", "PolicySourceArn", prefix+":user/u"), "member"), " "); got != "kms:ViaService aws:PrincipalTag/Team aws:username" {
		t.Errorf("keys are %s", got)
	}
	if got := strings.Join(values(f.ok("GetContextKeysForCustomPolicy", "PolicyInputList.member.1", conditional, "PolicyInputList.member.2", conditional), "member"), " "); got != "kms:ViaService aws:PrincipalTag/Team aws:username" {
		t.Errorf("keys are %s", got)
	}
	f.refuse("NoSuchEntity: The entity with name none cannot be found.", "SimulatePrincipalPolicy", append(actions, "PolicySourceArn", prefix+":user/none")...)
	f.as(f.account("others"), func() {
		f.refuse("NoSuchEntity: The entity with name u cannot be found.", "SimulatePrincipalPolicy", append(actions, "PolicySourceArn", prefix+":user/u")...)
	})
}

func TestAccountSummary(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	f.has(f.ok("GetAccountSummary"), "<entry><key>Users</key><value>2</value></entry>", "<entry><key>UsersQuota</key><value>5000</value></entry>",
		"<entry><key>Groups</key><value>0</value></entry>", "<entry><key>UserPolicySizeQuota</key><value>2048</value></entry>")
}

// TestAccountDetails: everything is on some page, once, whatever the size of the
// pages.
func TestAccountDetails(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"a", "b", "c"} {
		f.ok("CreateUser", "UserName", "user-"+name)
		f.ok("CreateGroup", "GroupName", "group-"+name)
		f.ok("CreateRole", "RoleName", "role-"+name, "AssumeRolePolicyDocument", trusting(f.root.AccountID))
		f.ok("CreatePolicy", "PolicyName", "policy-"+name, "PolicyDocument", document("Allow", "kms:*"))
	}
	f.ok("AddUserToGroup", "UserName", "user-a", "GroupName", "group-b")
	f.ok("PutUserPolicy", "UserName", "user-a", "PolicyName", "inline", "PolicyDocument", document("Allow", "kms:*"))
	f.ok("AttachRolePolicy", "RoleName", "role-c", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	all := f.ok("GetAccountAuthorizationDetails")
	f.has(all, "<GroupList><member>group-b</member></GroupList>", "<PolicyName>inline</PolicyName>", "<RoleName>role-c</RoleName>", "<VersionId>v1</VersionId>",
		"<PolicyArn>arn:aws:iam::aws:policy/ReadOnlyAccess</PolicyArn>", "<IsTruncated>false</IsTruncated>")
	arns := strings.Join(values(all, "Arn"), " ")
	if n := len(values(all, "Arn")); n != 4+3+3+3+2 { // with the administrator, and two policies of AWS
		t.Errorf("%d entries: %s", n, arns)
	}
	for size := 1; size <= 5; size++ {
		var got []string
		form := []string{"MaxItems", strconv.Itoa(size)}
		for range 40 {
			page := f.ok("GetAccountAuthorizationDetails", form...)
			if n := len(values(page, "Arn")); n > size {
				t.Errorf("a page of %d has %d", size, n)
			}
			got = append(got, values(page, "Arn")...)
			if !strings.Contains(page, "<Marker>") {
				break
			}
			form = []string{"MaxItems", strconv.Itoa(size), "Marker", f.value(page, "Marker")}
		}
		if strings.Join(got, " ") != arns {
			t.Errorf("in pages of %d: %q", size, got)
		}
	}
	only := f.ok("GetAccountAuthorizationDetails", "Filter.member.1", "Role", "Filter.member.2", "LocalManagedPolicy")
	if n := len(values(only, "Arn")); n != 6 || strings.Contains(only, "<UserName>") {
		t.Errorf("%d entries: %s", n, only)
	}
	f.refuse("ValidationError: Invalid Marker.", "GetAccountAuthorizationDetails", "Marker", "!")
}

func TestAccessKeyLastUsed(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	id := f.value(f.ok("CreateAccessKey", "UserName", "u"), "AccessKeyId")
	f.has(f.ok("GetAccessKeyLastUsed", "AccessKeyId", id), "<UserName>u</UserName>", "<ServiceName>N/A</ServiceName>", "<Region>N/A</Region>")
	f.change(func(tx *fsm.Txn) error {
		return state.AccessKeyUses.Put(tx, &state.AccessKeyUse{Time: f.now.UnixMilli(), Service: "kms", Region: "eu-west-1"}, id)
	})
	f.has(f.ok("GetAccessKeyLastUsed", "AccessKeyId", id), "<LastUsedDate>2026-09-21T14:13:20Z</LastUsedDate>", "<ServiceName>kms</ServiceName>", "<Region>eu-west-1</Region>")
	f.as(f.account("others"), func() {
		f.refuse("NoSuchEntity: The Access Key with id "+id+" cannot be found.", "GetAccessKeyLastUsed", "AccessKeyId", id)
	})
	f.ok("DeleteAccessKey", "UserName", "u", "AccessKeyId", id)
	if use, _, err := state.AccessKeyUses.Peek(f.node.View(), id); err != nil || use != nil {
		t.Errorf("it leaves %+v, %v", use, err)
	}
}
