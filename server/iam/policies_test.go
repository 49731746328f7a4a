package iam_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestPolicies(t *testing.T) {
	f := newFixture(t)
	text := document("Allow", "kms:Encrypt")
	made := f.ok("CreatePolicy", "PolicyName", "Use", "Path", "/kms/", "PolicyDocument", text, "Description", "d", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	arn := f.value(made, "Arn")
	if want := "arn:aws:iam::" + f.root.AccountID + ":policy/kms/Use"; arn != want {
		t.Errorf("made %s", arn)
	}
	f.has(made, "<DefaultVersionId>v1</DefaultVersionId>", "<AttachmentCount>0</AttachmentCount>", "<IsAttachable>true</IsAttachable>", "<Key>k</Key>")
	f.refuse("EntityAlreadyExists: A policy called USE already exists. Duplicate names are not allowed.", "CreatePolicy", "PolicyName", "USE", "PolicyDocument", text)
	f.refuse("LimitExceeded: Cannot exceed quota for PolicySize: 6144", "CreatePolicy", "PolicyName", "p",
		"PolicyDocument", document("Allow", "kms:"+strings.Repeat("A", 6144)))
	for _, bad := range []string{"{}", "[]", "x", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`} {
		if _, err := f.do("CreatePolicy", "PolicyName", "p", "PolicyDocument", bad); err == nil || !strings.HasPrefix(err.Error(), "MalformedPolicyDocument: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	// White space does not count.
	f.ok("CreatePolicy", "PolicyName", "wide", "PolicyDocument", strings.Replace(text, ",", ","+strings.Repeat(" ", 7000), 1))
	f.ok("DeletePolicy", "PolicyArn", "arn:aws:iam::"+f.root.AccountID+":policy/wide")

	f.has(f.ok("GetPolicy", "PolicyArn", arn), "<PolicyName>Use</PolicyName>", "<Description>d</Description>", "<Key>k</Key>")
	f.refuse("NoSuchEntity: Policy "+arn+"2 does not exist or is not attachable.", "GetPolicy", "PolicyArn", arn+"2")
	f.refuse("NoSuchEntity: Policy arn:aws:iam::"+f.root.AccountID+":policy/other/Use does not exist or is not attachable.",
		"GetPolicy", "PolicyArn", "arn:aws:iam::"+f.root.AccountID+":policy/other/Use")

	f.ok("CreateUser", "UserName", "u")
	f.ok("CreateGroup", "GroupName", "g")
	f.ok("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusting(f.root.AccountID))
	for _, kind := range []string{"User", "Group", "Role"} {
		name := strings.ToLower(kind[:1])
		f.ok("Attach"+kind+"Policy", kind+"Name", name, "PolicyArn", arn)
		f.ok("Attach"+kind+"Policy", kind+"Name", name, "PolicyArn", arn)
		f.has(f.ok("ListAttached"+kind+"Policies", kind+"Name", name, "PathPrefix", "/kms/"), "<PolicyArn>"+arn+"</PolicyArn>", "<PolicyName>Use</PolicyName>")
		if got := values(f.ok("ListAttached"+kind+"Policies", kind+"Name", name, "PathPrefix", "/other/"), "PolicyArn"); len(got) != 0 {
			t.Errorf("listed %q", got)
		}
		f.refuse("NoSuchEntity: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.",
			"Attach"+kind+"Policy", kind+"Name", name, "PolicyArn", "arn:aws:iam::aws:policy/Nothing")
		f.refuse("NoSuchEntity: Policy arn:aws:iam::aws:policy/ReadOnlyAccess was not found.",
			"Detach"+kind+"Policy", kind+"Name", name, "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	}
	f.has(f.ok("GetPolicy", "PolicyArn", arn), "<AttachmentCount>3</AttachmentCount>")
	entities := f.ok("ListEntitiesForPolicy", "PolicyArn", arn)
	f.has(entities, "<UserName>u</UserName>", "<GroupName>g</GroupName>", "<RoleName>r</RoleName>")
	if only := f.ok("ListEntitiesForPolicy", "PolicyArn", arn, "EntityFilter", "Group"); strings.Contains(only, "<UserName>") || !strings.Contains(only, "<GroupName>") {
		t.Errorf("groups are %s", only)
	}
	f.refuse("DeleteConflict: Cannot delete a policy attached to entities.", "DeletePolicy", "PolicyArn", arn)
	for _, kind := range []string{"User", "Group", "Role"} {
		f.ok("Detach"+kind+"Policy", kind+"Name", strings.ToLower(kind[:1]), "PolicyArn", arn)
	}
	f.ok("DeletePolicy", "PolicyArn", arn)
	f.refuse("NoSuchEntity: Policy "+arn+" does not exist or is not attachable.", "DeletePolicy", "PolicyArn", arn)
	f.as(f.account("others"), func() {
		f.refuse("NoSuchEntity: Policy "+arn+" does not exist or is not attachable.", "GetPolicy", "PolicyArn", arn)
	})
	f.refuse("AccessDenied: Policies of AWS cannot be changed: arn:aws:iam::aws:policy/ReadOnlyAccess", "DeletePolicy", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
}

func TestPolicyVersions(t *testing.T) {
	f := newFixture(t)
	arn := f.value(f.ok("CreatePolicy", "PolicyName", "P", "PolicyDocument", document("Allow", "kms:V1")), "Arn")
	for i := 2; i <= 5; i++ {
		f.ok("CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", document("Allow", "kms:V"+strconv.Itoa(i)), "SetAsDefault", strconv.FormatBool(i == 3))
	}
	if want := `{"policyVersion":{"versionId":"v5","isDefaultVersion":false,"createDate":"Sep 21, 2026, 2:13:20 PM"}}`; !strings.HasSuffix(f.recorded(), want) {
		t.Errorf("recorded %s", f.recorded())
	}
	f.refuse("LimitExceeded: A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
		"CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", document("Allow", "kms:*"))
	f.has(f.ok("GetPolicy", "PolicyArn", arn), "<DefaultVersionId>v3</DefaultVersionId>")
	if got := values(f.ok("ListPolicyVersions", "PolicyArn", arn), "VersionId"); strings.Join(got, " ") != "v1 v2 v3 v4 v5" {
		t.Errorf("versions are %q", got)
	}
	page := f.ok("ListPolicyVersions", "PolicyArn", arn, "MaxItems", "4")
	if got := values(f.ok("ListPolicyVersions", "PolicyArn", arn, "Marker", f.value(page, "Marker")), "VersionId"); strings.Join(got, " ") != "v5" {
		t.Errorf("the second page is %q", got)
	}
	text, err := url.QueryUnescape(f.value(f.ok("GetPolicyVersion", "PolicyArn", arn, "VersionId", "v2"), "Document"))
	if err != nil || text != document("Allow", "kms:V2") {
		t.Errorf("v2 is %s, %v", text, err)
	}
	f.refuse("NoSuchEntity: Policy "+arn+" version v9 does not exist or is not attachable.", "GetPolicyVersion", "PolicyArn", arn, "VersionId", "v9")
	f.refuse("NoSuchEntity: Policy "+arn+" version v9 does not exist or is not attachable.", "SetDefaultPolicyVersion", "PolicyArn", arn, "VersionId", "v9")
	f.refuse("DeleteConflict: Cannot delete the default version of a policy.", "DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v3")
	f.ok("SetDefaultPolicyVersion", "PolicyArn", arn, "VersionId", "v1")
	f.ok("DeletePolicyVersion", "PolicyArn", arn, "VersionId", "v3")
	f.has(f.ok("CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", document("Allow", "kms:V6")), "<VersionId>v6</VersionId>") // never a number twice
	f.refuse("DeleteConflict: This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "+
		"The default version is deleted with the policy.", "DeletePolicy", "PolicyArn", arn)
	for _, version := range []string{"v2", "v4", "v5", "v6"} {
		f.ok("DeletePolicyVersion", "PolicyArn", arn, "VersionId", version)
	}
	f.ok("DeletePolicy", "PolicyArn", arn)
	f.has(f.ok("GetPolicyVersion", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess", "VersionId", "v1"), "<IsDefaultVersion>true</IsDefaultVersion>")
}

func TestInlinePolicies(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "x")
	f.ok("CreateGroup", "GroupName", "x")
	f.ok("CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", trusting(f.root.AccountID))
	for kind, quota := range map[string]int{"User": 2048, "Group": 5120, "Role": 10240} {
		name := kind + "Name"
		text := document("Deny", "kms:A kms:B")
		f.ok("Put"+kind+"Policy", name, "x", "PolicyName", "p1", "PolicyDocument", text)
		got := f.ok("Get"+kind+"Policy", name, "x", "PolicyName", "p1")
		if document, err := url.QueryUnescape(f.value(got, "PolicyDocument")); err != nil || document != text {
			t.Errorf("%s: %s, %v", kind, document, err)
		}
		f.has(got, "<"+name+">x</"+name+">", "<PolicyName>p1</PolicyName>")
		missing := "NoSuchEntity: The " + strings.ToLower(kind) + " policy with name P1 cannot be found."
		f.refuse(missing, "Get"+kind+"Policy", name, "x", "PolicyName", "P1")
		f.refuse(missing, "Delete"+kind+"Policy", name, "x", "PolicyName", "P1")

		room := quota - len(text) - len(document("Allow", "kms:"))
		exceeded := "LimitExceeded: Maximum policy size of " + strconv.Itoa(quota) + " bytes exceeded for " + strings.ToLower(kind) + " x"
		f.refuse(exceeded, "Put"+kind+"Policy", name, "x", "PolicyName", "p2", "PolicyDocument", document("Allow", "kms:"+strings.Repeat("A", room+1)))
		f.ok("Put"+kind+"Policy", name, "x", "PolicyName", "p2", "PolicyDocument", document("Allow", "kms:"+strings.Repeat("A", room)))
		f.ok("Put"+kind+"Policy", name, "x", "PolicyName", "p2", "PolicyDocument", document("Allow", "kms:"+strings.Repeat("B", room))) // in its place
		if got := values(f.ok("List"+kind+"Policies", name, "x"), "member"); strings.Join(got, " ") != "p1 p2" {
			t.Errorf("%s: %q", kind, got)
		}
		f.ok("Delete"+kind+"Policy", name, "x", "PolicyName", "p2")
		f.ok("Delete"+kind+"Policy", name, "x", "PolicyName", "p1")
		if got := values(f.ok("List"+kind+"Policies", name, "x"), "member"); len(got) != 0 {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestAttachedQuota(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusting(f.root.AccountID))
	var arn string
	for i := range 21 {
		arn = f.value(f.ok("CreatePolicy", "PolicyName", "p"+strconv.Itoa(i), "PolicyDocument", document("Allow", "kms:*")), "Arn")
		if i < 20 {
			f.ok("AttachRolePolicy", "RoleName", "r", "PolicyArn", arn)
		}
	}
	f.refuse("LimitExceeded: Cannot exceed quota for PoliciesPerRole: 20", "AttachRolePolicy", "RoleName", "r", "PolicyArn", arn)
}

// TestListPolicies: those of AWS come first, and a page has no more than asked for.
func TestListPolicies(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"B", "a"} {
		f.ok("CreatePolicy", "PolicyName", name, "PolicyDocument", document("Allow", "kms:*"))
	}
	all := values(f.ok("ListPolicies"), "PolicyName")
	if n := len(all); n < 5 || all[n-2] != "a" || all[n-1] != "B" {
		t.Fatalf("all are %q", all)
	}
	for size := 1; size <= len(all)+1; size++ {
		var got []string
		form := []string{"MaxItems", strconv.Itoa(size)}
		for range len(all) + 1 {
			page := f.ok("ListPolicies", form...)
			names := values(page, "PolicyName")
			if len(names) > size {
				t.Errorf("a page of %d has %q", size, names)
			}
			got = append(got, names...)
			if !strings.Contains(page, "<Marker>") {
				break
			}
			form = []string{"MaxItems", strconv.Itoa(size), "Marker", f.value(page, "Marker")}
		}
		if strings.Join(got, " ") != strings.Join(all, " ") {
			t.Errorf("in pages of %d: %q", size, got)
		}
	}
	if got := values(f.ok("ListPolicies", "Scope", "Local"), "PolicyName"); strings.Join(got, " ") != "a B" {
		t.Errorf("the account's are %q", got)
	}
	if got := values(f.ok("ListPolicies", "Scope", "AWS"), "PolicyName"); len(got) != len(all)-2 {
		t.Errorf("AWS's are %q", got)
	}
	if got := values(f.ok("ListPolicies", "OnlyAttached", "true"), "PolicyName"); strings.Join(got, " ") != "AdministratorAccess" {
		t.Errorf("attached are %q", got)
	}
	f.refuse("ValidationError: Invalid Marker.", "ListPolicies", "Marker", "!")
}
