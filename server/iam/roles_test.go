package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/server/call"
)

func TestRoles(t *testing.T) {
	f := newFixture(t)
	account := f.root.AccountID
	trust := trusting(account)
	made := f.ok("CreateRole", "RoleName", "App", "Path", "/svc/", "AssumeRolePolicyDocument", trust, "Description", "for the app",
		"MaxSessionDuration", "7200", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	id := f.value(made, "RoleId")
	f.has(made, "<Arn>arn:aws:iam::"+account+":role/svc/App</Arn>", "<MaxSessionDuration>7200</MaxSessionDuration>", "<Description>for the app</Description>")
	if text, err := url.QueryUnescape(f.value(made, "AssumeRolePolicyDocument")); err != nil || text != trust {
		t.Errorf("trusts %s, %v", text, err)
	}
	if got := f.recorded(); !strings.HasPrefix(got, `CreateRole false {"roleName":"App","path":"/svc/","assumeRolePolicyDocument":`) ||
		!strings.Contains(got, `"roleId":"`+id+`"`) {
		t.Errorf("recorded %s", got)
	}
	f.refuse("EntityAlreadyExists: Role with name APP already exists.", "CreateRole", "RoleName", "APP", "AssumeRolePolicyDocument", trust)
	ghost := "arn:aws:iam::" + account + ":user/ghost"
	f.refuse(`MalformedPolicyDocument: Invalid principal in policy: "AWS":"`+ghost+`"`, "CreateRole", "RoleName", "r",
		"AssumeRolePolicyDocument", trusting(ghost))
	f.refuse("LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048", "CreateRole", "RoleName", "r",
		"AssumeRolePolicyDocument", strings.Replace(trust, "sts:AssumeRole", "sts:"+strings.Repeat("A", 2048), 1))
	f.refuse("ValidationError: 1 validation error detected: Value '3599' at 'maxSessionDuration' failed to satisfy constraint: "+
		"Member must have value greater than or equal to 3600", "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trust, "MaxSessionDuration", "3599")
	if _, err := f.do("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", `{"Statement":[]}`); err == nil ||
		!strings.HasPrefix(err.Error(), "MalformedPolicyDocument: ") {
		t.Errorf("no statement: %v", err)
	}
	f.refuse("NoSuchEntity: The role with name none cannot be found.", "GetRole", "RoleName", "none")

	f.ok("UpdateRole", "RoleName", "app", "Description", "new")
	f.has(f.ok("GetRole", "RoleName", "app"), "<MaxSessionDuration>3600</MaxSessionDuration>", "<Description>new</Description>", "<Key>k</Key>")
	f.has(f.ok("UpdateRoleDescription", "RoleName", "app", "Description", "newer"), "<Description>newer</Description>")
	if got := values(f.ok("ListRoles", "PathPrefix", "/svc/"), "RoleName"); len(got) != 1 || got[0] != "App" {
		t.Errorf("listed %q", got)
	}
	f.ok("AttachRolePolicy", "RoleName", "app", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	f.ok("PutRolePolicy", "RoleName", "app", "PolicyName", "p", "PolicyDocument", document("Allow", "kms:*"))
	f.refuse("DeleteConflict: Cannot delete entity, must detach all policies first.", "DeleteRole", "RoleName", "app")
	f.ok("DetachRolePolicy", "RoleName", "app", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	f.refuse("DeleteConflict: Cannot delete entity, must delete policies first.", "DeleteRole", "RoleName", "app")
	f.ok("DeleteRolePolicy", "RoleName", "app", "PolicyName", "p")
	f.ok("DeleteRole", "RoleName", "app")
	f.refuse("NoSuchEntity: The role with name app cannot be found.", "DeleteRole", "RoleName", "app")
}

// TestTrustNamesByID: whom a trust policy named, and who is no more, stands in it
// by its unique id.
func TestTrustNamesByID(t *testing.T) {
	f := newFixture(t)
	id := f.value(f.ok("CreateUser", "UserName", "u"), "UserId")
	arn := "arn:aws:iam::" + f.root.AccountID + ":user/u"
	f.ok("CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusting(arn))
	trusted := func(answer string) string {
		t.Helper()
		text, err := url.QueryUnescape(f.value(answer, "AssumeRolePolicyDocument"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	f.ok("DeleteUser", "UserName", "u")
	for range 2 { // the second time, another user has the name
		for _, answer := range []string{f.ok("GetRole", "RoleName", "r"), f.ok("ListRoles"), f.ok("UpdateRoleDescription", "RoleName", "r", "Description", "")} {
			if trusted(answer) != trusting(id) {
				t.Errorf("it trusts %s", trusted(answer))
			}
		}
		f.ok("CreateUser", "UserName", "u")
		f.ok("DeleteUser", "UserName", "u")
	}
	f.refuse(`MalformedPolicyDocument: Invalid principal in policy: "AWS":"`+id+`"`, "UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", trusting(id))
	f.ok("CreateUser", "UserName", "u")
	f.ok("UpdateAssumeRolePolicy", "RoleName", "r", "PolicyDocument", trusting(arn))
	if got := trusted(f.ok("GetRole", "RoleName", "r")); got != trusting(arn) {
		t.Errorf("it trusts %s", got)
	}
}

// TestBoundaries of users and roles, which are policies that exist.
func TestBoundaries(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "x", "PermissionsBoundary", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	f.ok("CreateRole", "RoleName", "x", "AssumeRolePolicyDocument", trusting(f.root.AccountID))
	own := f.value(f.ok("CreatePolicy", "PolicyName", "Bound", "PolicyDocument", document("Allow", "kms:*")), "Arn")
	const type1 = "<PermissionsBoundaryType>Policy</PermissionsBoundaryType>"
	f.has(f.ok("GetUser", "UserName", "x"), type1, "<PermissionsBoundaryArn>arn:aws:iam::aws:policy/ReadOnlyAccess</PermissionsBoundaryArn>")
	for _, kind := range []string{"User", "Role"} {
		f.ok("Put"+kind+"PermissionsBoundary", kind+"Name", "x", "PermissionsBoundary", own)
		f.has(f.ok("Get"+kind, kind+"Name", "x"), type1, "<PermissionsBoundaryArn>"+own+"</PermissionsBoundaryArn>")
		f.refuse("NoSuchEntity: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.",
			"Put"+kind+"PermissionsBoundary", kind+"Name", "x", "PermissionsBoundary", "arn:aws:iam::aws:policy/Nothing")
	}
	f.has(f.ok("GetPolicy", "PolicyArn", own), "<PermissionsBoundaryUsageCount>2</PermissionsBoundaryUsageCount>", "<AttachmentCount>0</AttachmentCount>")
	listed := f.ok("ListEntitiesForPolicy", "PolicyArn", own, "PolicyUsageFilter", "PermissionsBoundary")
	f.has(listed, "<UserName>x</UserName>", "<RoleName>x</RoleName>")
	f.refuse("DeleteConflict: Cannot delete a policy that is a permissions boundary of entities.", "DeletePolicy", "PolicyArn", own)
	for _, kind := range []string{"User", "Role"} {
		f.ok("Delete"+kind+"PermissionsBoundary", kind+"Name", "x")
		f.refuse("NoSuchEntity: x does not have a permissions boundary.", "Delete"+kind+"PermissionsBoundary", kind+"Name", "x")
	}
	f.ok("DeletePolicy", "PolicyArn", own)
}

func TestProviders(t *testing.T) {
	f := newFixture(t)
	const thumbprint = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"
	arn := "arn:aws:iam::" + f.root.AccountID + ":oidc-provider/ci.example.com/realm"
	made := f.ok("CreateOpenIDConnectProvider", "Url", "https://ci.example.com/realm/", "ClientIDList.member.1", "sts.amazonaws.com",
		"ThumbprintList.member.1", thumbprint, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
	if got := f.value(made, "OpenIDConnectProviderArn"); got != arn {
		t.Errorf("made %s", got)
	}
	f.has(f.recorded(), `{"openIDConnectProviderArn":"`+arn+`"}`, `"clientIDList":["sts.amazonaws.com"]`)
	f.refuse("EntityAlreadyExists: Provider with url https://ci.example.com/realm already exists.", "CreateOpenIDConnectProvider",
		"Url", "https://ci.example.com/realm")
	for _, bad := range []string{"http://ci.example.com", "https://", "https://a?b=c", "https://u:p@example.com", "https://example.com/#x", ":"} {
		f.refuse("ValidationError: Invalid Open ID Connect Provider URL", "CreateOpenIDConnectProvider", "Url", bad)
	}
	f.ok("AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "app")
	f.ok("AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "app")
	f.has(f.ok("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn), "<Url>ci.example.com/realm</Url>",
		"<ClientIDList><member>sts.amazonaws.com</member><member>app</member></ClientIDList>",
		"<ThumbprintList><member>"+thumbprint+"</member></ThumbprintList>", "<Key>k</Key>")
	f.ok("RemoveClientIDFromOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "app")
	f.ok("RemoveClientIDFromOpenIDConnectProvider", "OpenIDConnectProviderArn", arn, "ClientID", "app")
	other := strings.Repeat("ab", 20)
	f.ok("UpdateOpenIDConnectProviderThumbprint", "OpenIDConnectProviderArn", arn, "ThumbprintList.member.1", other)
	f.has(f.ok("GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn), "<ClientIDList><member>sts.amazonaws.com</member></ClientIDList>",
		"<ThumbprintList><member>"+other+"</member></ThumbprintList>")
	many := []string{"OpenIDConnectProviderArn", arn}
	for i := range 6 {
		many = append(many, "ThumbprintList.member."+string(rune('1'+i)), other)
	}
	f.refuse("LimitExceeded: Cannot exceed quota for ThumbprintsPerOpenIdConnectProvider: 5", "UpdateOpenIDConnectProviderThumbprint", many...)
	f.has(f.ok("ListOpenIDConnectProviders"), "<Arn>"+arn+"</Arn>")
	f.as(f.account("others"), func() {
		if got := values(f.ok("ListOpenIDConnectProviders"), "Arn"); len(got) != 0 {
			t.Errorf("another account sees %q", got)
		}
		f.refuse("NoSuchEntity: OpenIDConnect Provider not found for arn "+arn, "GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn)
	})
	f.ok("DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", arn)
	f.ok("DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", arn) // idempotent, as in AWS
	f.refuse("NoSuchEntity: OpenIDConnect Provider not found for arn "+arn, "GetOpenIDConnectProvider", "OpenIDConnectProviderArn", arn)
}

// TestPermissions: every operation asks for the permission that has its name, and
// without it says nothing of what there is.
func TestPermissions(t *testing.T) {
	f := newFixture(t)
	nobody := f.member("nobody", "")
	f.as(nobody, func() {
		for name, op := range f.operations {
			form := append([]string{}, requests[name]...)
			if requests[name] == nil {
				t.Errorf("%s has no request here", name)
				continue
			}
			want := "AccessDenied: User: " + nobody.ARN + " is not authorized to perform: iam:" + name + " on resource: "
			_, err := f.do(name, form...)
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "because no identity-based policy allows the iam:"+name+" action") {
				t.Errorf("%s: %v", name, err)
			}
			if refusal, ok := err.(*call.Error); ok && refusal.Status != 403 {
				t.Errorf("%s: HTTP %d", name, refusal.Status)
			}
			if got := f.recorded(); got != name+" "+map[bool]string{true: "true", false: "false"}[op.ReadOnly]+" AccessDeniednull null" {
				t.Errorf("%s is recorded as %s", name, got)
			}
		}
	})
}

// TestMissingMembers: a request without what it needs is refused before anything
// is looked at.
func TestMissingMembers(t *testing.T) {
	f := newFixture(t)
	for name := range f.operations {
		if _, err := f.do(name); err != nil && !strings.HasPrefix(err.Error(), "ValidationError: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// requests are valid ones of all operations, about what does not exist.
var requests = map[string][]string{
	"AddClientIDToOpenIDConnectProvider":      {"OpenIDConnectProviderArn", noProvider, "ClientID", "c"},
	"AddUserToGroup":                          {"GroupName", "none", "UserName", "none"},
	"AttachGroupPolicy":                       {"GroupName", "none", "PolicyArn", noPolicy},
	"AttachRolePolicy":                        {"RoleName", "none", "PolicyArn", noPolicy},
	"AttachUserPolicy":                        {"UserName", "none", "PolicyArn", noPolicy},
	"CreateAccessKey":                         {"UserName", "none"},
	"CreateGroup":                             {"GroupName", "none"},
	"CreateOpenIDConnectProvider":             {"Url", "https://example.com"},
	"CreatePolicy":                            {"PolicyName", "none", "PolicyDocument", "{}"},
	"CreatePolicyVersion":                     {"PolicyArn", noPolicy, "PolicyDocument", "{}"},
	"CreateRole":                              {"RoleName", "none", "AssumeRolePolicyDocument", "{}"},
	"CreateUser":                              {"UserName", "none"},
	"DeleteAccessKey":                         {"UserName", "none", "AccessKeyId", "AKIAAAAAAAAAAAAAAAAA"},
	"DeleteGroup":                             {"GroupName", "none"},
	"DeleteGroupPolicy":                       {"GroupName", "none", "PolicyName", "p"},
	"DeleteOpenIDConnectProvider":             {"OpenIDConnectProviderArn", noProvider},
	"DeletePolicy":                            {"PolicyArn", noPolicy},
	"DeletePolicyVersion":                     {"PolicyArn", noPolicy, "VersionId", "v1"},
	"DeleteRole":                              {"RoleName", "none"},
	"DeleteRolePermissionsBoundary":           {"RoleName", "none"},
	"DeleteRolePolicy":                        {"RoleName", "none", "PolicyName", "p"},
	"DeleteUser":                              {"UserName", "none"},
	"DeleteUserPermissionsBoundary":           {"UserName", "none"},
	"DeleteUserPolicy":                        {"UserName", "none", "PolicyName", "p"},
	"DetachGroupPolicy":                       {"GroupName", "none", "PolicyArn", noPolicy},
	"DetachRolePolicy":                        {"RoleName", "none", "PolicyArn", noPolicy},
	"DetachUserPolicy":                        {"UserName", "none", "PolicyArn", noPolicy},
	"GetAccessKeyLastUsed":                    {"AccessKeyId", "AKIAAAAAAAAAAAAAAAAA"},
	"GetAccountAuthorizationDetails":          {},
	"GetAccountSummary":                       {},
	"GetContextKeysForCustomPolicy":           {"PolicyInputList.member.1", "{}"},
	"GetContextKeysForPrincipalPolicy":        {"PolicySourceArn", "arn:aws:iam::111122223333:user/none"},
	"SimulateCustomPolicy":                    {"PolicyInputList.member.1", "{}", "ActionNames.member.1", "kms:Encrypt"},
	"SimulatePrincipalPolicy":                 {"PolicySourceArn", "arn:aws:iam::111122223333:user/none", "ActionNames.member.1", "kms:Encrypt"},
	"GetGroup":                                {"GroupName", "none"},
	"GetGroupPolicy":                          {"GroupName", "none", "PolicyName", "p"},
	"GetOpenIDConnectProvider":                {"OpenIDConnectProviderArn", noProvider},
	"GetPolicy":                               {"PolicyArn", noPolicy},
	"GetPolicyVersion":                        {"PolicyArn", noPolicy, "VersionId", "v1"},
	"GetRole":                                 {"RoleName", "none"},
	"GetRolePolicy":                           {"RoleName", "none", "PolicyName", "p"},
	"GetUser":                                 {"UserName", "none"},
	"GetUserPolicy":                           {"UserName", "none", "PolicyName", "p"},
	"ListAccessKeys":                          {"UserName", "none"},
	"ListAttachedGroupPolicies":               {"GroupName", "none"},
	"ListAttachedRolePolicies":                {"RoleName", "none"},
	"ListAttachedUserPolicies":                {"UserName", "none"},
	"ListEntitiesForPolicy":                   {"PolicyArn", noPolicy},
	"ListGroupPolicies":                       {"GroupName", "none"},
	"ListGroups":                              {},
	"ListGroupsForUser":                       {"UserName", "none"},
	"ListOpenIDConnectProviders":              {},
	"ListPolicies":                            {},
	"ListPolicyTags":                          {"PolicyArn", noPolicy},
	"ListPolicyVersions":                      {"PolicyArn", noPolicy},
	"ListRolePolicies":                        {"RoleName", "none"},
	"ListRoleTags":                            {"RoleName", "none"},
	"ListRoles":                               {},
	"ListUserPolicies":                        {"UserName", "none"},
	"ListUserTags":                            {"UserName", "none"},
	"ListUsers":                               {},
	"PutGroupPolicy":                          {"GroupName", "none", "PolicyName", "p", "PolicyDocument", "{}"},
	"PutRolePermissionsBoundary":              {"RoleName", "none", "PermissionsBoundary", noPolicy},
	"PutRolePolicy":                           {"RoleName", "none", "PolicyName", "p", "PolicyDocument", "{}"},
	"PutUserPermissionsBoundary":              {"UserName", "none", "PermissionsBoundary", noPolicy},
	"PutUserPolicy":                           {"UserName", "none", "PolicyName", "p", "PolicyDocument", "{}"},
	"RemoveClientIDFromOpenIDConnectProvider": {"OpenIDConnectProviderArn", noProvider, "ClientID", "c"},
	"RemoveUserFromGroup":                     {"GroupName", "none", "UserName", "none"},
	"SetDefaultPolicyVersion":                 {"PolicyArn", noPolicy, "VersionId", "v1"},
	"TagPolicy":                               {"PolicyArn", noPolicy, "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"},
	"TagRole":                                 {"RoleName", "none", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"},
	"TagUser":                                 {"UserName", "none", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"},
	"UntagPolicy":                             {"PolicyArn", noPolicy, "TagKeys.member.1", "k"},
	"UntagRole":                               {"RoleName", "none", "TagKeys.member.1", "k"},
	"UntagUser":                               {"UserName", "none", "TagKeys.member.1", "k"},
	"UpdateAccessKey":                         {"UserName", "none", "AccessKeyId", "AKIAAAAAAAAAAAAAAAAA", "Status", "Active"},
	"UpdateAssumeRolePolicy":                  {"RoleName", "none", "PolicyDocument", "{}"},
	"UpdateGroup":                             {"GroupName", "none", "NewGroupName", "n"},
	"UpdateOpenIDConnectProviderThumbprint":   {"OpenIDConnectProviderArn", noProvider, "ThumbprintList.member.1", "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"},
	"UpdateRole":                              {"RoleName", "none"},
	"UpdateRoleDescription":                   {"RoleName", "none", "Description", ""},
	"UpdateUser":                              {"UserName", "none", "NewUserName", "n"},
}

const (
	noPolicy   = "arn:aws:iam::111122223333:policy/none"
	noProvider = "arn:aws:iam::111122223333:oidc-provider/none.example.com"
)

// TestAbsent: the administrator hears of every operation that what it names is
// not there, with HTTP 404.
func TestAbsent(t *testing.T) {
	f := newFixture(t)
	for name, form := range requests {
		if strings.HasPrefix(name, "Create") && name != "CreateAccessKey" && name != "CreatePolicyVersion" ||
			name == "ListGroups" || name == "ListRoles" || name == "ListUsers" || name == "ListPolicies" || name == "ListOpenIDConnectProviders" ||
			name == "DeleteOpenIDConnectProvider" || name == "GetAccountSummary" || name == "GetAccountAuthorizationDetails" ||
			strings.HasSuffix(name, "CustomPolicy") {
			continue
		}
		_, err := f.do(name, form...)
		if refusal, ok := err.(*call.Error); !ok || refusal.Code != "NoSuchEntity" || refusal.Status != 404 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
