package iam_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

func TestUsers(t *testing.T) {
	f := newFixture(t)
	arn := "arn:aws:iam::" + f.root.AccountID + ":user"
	made := f.ok("CreateUser", "UserName", "Alice", "Path", "/eng/", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red")
	f.has(made, "<Arn>"+arn+"/eng/Alice</Arn>", "<Path>/eng/</Path>", "<CreateDate>2026-09-21T14:13:20Z</CreateDate>",
		"<Tags><member><Key>team</Key><Value>red</Value></member></Tags>")
	id := f.value(made, "UserId")
	if want := `CreateUser false {"userName":"Alice","path":"/eng/","tags":[{"key":"team","value":"red"}]} {"user":{"path":"/eng/",` +
		`"userName":"Alice","userId":"` + id + `","arn":"` + arn + `/eng/Alice","createDate":"Sep 21, 2026, 2:13:20 PM"}}`; f.recorded() != want {
		t.Errorf("recorded %s\nwant %s", f.recorded(), want)
	}
	f.refuse("EntityAlreadyExists: User with name alice already exists.", "CreateUser", "UserName", "alice")
	f.refuse("InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive.", "CreateUser", "UserName", "b",
		"Tags.member.1.Key", "a", "Tags.member.1.Value", "", "Tags.member.2.Key", "A", "Tags.member.2.Value", "")
	f.refuse("InvalidInput: Tag keys that begin with aws: are reserved for system use.", "CreateUser", "UserName", "b",
		"Tags.member.1.Key", "AWS:x", "Tags.member.1.Value", "")
	f.refuse("NoSuchEntity: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.", "CreateUser", "UserName", "b",
		"PermissionsBoundary", "arn:aws:iam::aws:policy/Nothing")

	f.has(f.ok("GetUser", "UserName", "ALICE"), "<UserName>Alice</UserName>", "<UserId>"+id+"</UserId>", "<Key>team</Key>")
	f.has(f.ok("GetUser"), "<UserName>admin</UserName>")
	f.refuse("NoSuchEntity: The user with name bob cannot be found.", "GetUser", "UserName", "bob")
	if got := f.status("GetUser", "UserName", "bob"); got != 404 {
		t.Errorf("HTTP %d", got)
	}
	session := call.Principal{Type: "AssumedRole", AccountID: f.root.AccountID, ARN: arn, PrincipalID: f.caller.PrincipalID}
	f.as(session, func() {
		f.refuse("ValidationError: Must specify userName when calling with non-User credentials", "GetUser")
	})

	f.ok("UpdateUser", "UserName", "Alice", "NewUserName", "Bob", "NewPath", "/ops/")
	f.has(f.ok("GetUser", "UserName", "bob"), "<Arn>"+arn+"/ops/Bob</Arn>", "<UserId>"+id+"</UserId>", "<Key>team</Key>")
	f.refuse("NoSuchEntity: The user with name alice cannot be found.", "GetUser", "UserName", "alice")
	f.refuse("EntityAlreadyExists: User with name Admin already exists.", "UpdateUser", "UserName", "bob", "NewUserName", "Admin")
	f.ok("UpdateUser", "UserName", "bob", "NewUserName", "BOB") // another spelling is no other name
	f.has(f.ok("GetUser", "UserName", "bob"), "<UserName>BOB</UserName>")

	f.ok("DeleteUser", "UserName", "bob")
	f.refuse("NoSuchEntity: The user with name bob cannot be found.", "DeleteUser", "UserName", "bob")
	if again := f.value(f.ok("CreateUser", "UserName", "bob"), "UserId"); again == id {
		t.Error("who is made again has the old id")
	}
}

// TestDeleteUserConflicts: what a user has is taken away first, in AWS's order.
func TestDeleteUserConflicts(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	f.ok("CreateGroup", "GroupName", "g")
	key := f.value(f.ok("CreateAccessKey", "UserName", "u"), "AccessKeyId")
	f.ok("AttachUserPolicy", "UserName", "u", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	f.ok("PutUserPolicy", "UserName", "u", "PolicyName", "p", "PolicyDocument", document("Allow", "kms:*"))
	f.ok("AddUserToGroup", "UserName", "u", "GroupName", "g")
	for _, step := range []struct{ what, operation, name, value string }{
		{"must delete access keys first.", "DeleteAccessKey", "AccessKeyId", key},
		{"must detach all policies first.", "DetachUserPolicy", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		{"must delete policies first.", "DeleteUserPolicy", "PolicyName", "p"},
		{"must remove users from group first.", "RemoveUserFromGroup", "GroupName", "g"},
	} {
		f.refuse("DeleteConflict: Cannot delete entity, "+step.what, "DeleteUser", "UserName", "u")
		if got := f.status("DeleteUser", "UserName", "u"); got != 409 {
			t.Errorf("HTTP %d", got)
		}
		f.ok(step.operation, "UserName", "u", step.name, step.value)
	}
	f.ok("DeleteUser", "UserName", "u")
}

func TestAccessKeys(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	made := f.ok("CreateAccessKey", "UserName", "u")
	id, secret := f.value(made, "AccessKeyId"), f.value(made, "SecretAccessKey")
	if want := `CreateAccessKey false {"userName":"u"} {"accessKey":{"userName":"u","accessKeyId":"` + id +
		`","status":"Active","createDate":"` + "Sep 21, 2026, 2:13:20 PM" + `"}}`; f.recorded() != want {
		t.Errorf("recorded %s\nwant %s", f.recorded(), want)
	}
	second := f.value(f.ok("CreateAccessKey", "UserName", "u"), "AccessKeyId")
	f.refuse("LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2", "CreateAccessKey", "UserName", "u")
	f.ok("UpdateAccessKey", "UserName", "u", "AccessKeyId", id, "Status", "Inactive")
	list := f.ok("ListAccessKeys", "UserName", "u")
	if keys := values(list, "AccessKeyId"); len(keys) != 2 || strings.Contains(list, secret) {
		t.Errorf("listed %s", list)
	}
	for i, key := range values(list, "AccessKeyId") {
		if want := map[string]string{id: "Inactive", second: "Active"}[key]; values(list, "Status")[i] != want {
			t.Errorf("%s is %s", key, values(list, "Status")[i])
		}
	}
	f.change(func(tx *fsm.Txn) error {
		who, _, err := f.identity.Authenticate(tx, id)
		if err == nil && who != nil {
			err = errors.New("an inactive key stands for somebody")
		}
		return err
	})
	f.ok("UpdateUser", "UserName", "u", "NewUserName", "v") // the keys go with the user
	if who := f.principal(second); who.UserName != "v" {
		t.Errorf("%s has the key", who.UserName)
	}
	f.refuse("ValidationError: Status Expired cannot be set.", "UpdateAccessKey", "UserName", "v", "AccessKeyId", id, "Status", "Expired")
	f.refuse("NoSuchEntity: The Access Key with id "+id+" cannot be found.", "DeleteAccessKey", "AccessKeyId", id) // the caller's are others
	f.ok("DeleteAccessKey", "UserName", "v", "AccessKeyId", id)
	f.refuse("NoSuchEntity: The Access Key with id "+id+" cannot be found.", "UpdateAccessKey", "UserName", "v", "AccessKeyId", id, "Status", "Active")
	f.ok("CreateAccessKey", "UserName", "v")
	f.as(f.account("others"), func() {
		f.refuse("NoSuchEntity: The Access Key with id "+second+" cannot be found.", "DeleteAccessKey", "AccessKeyId", second)
	})
	for _, raw := range f.node.RawEvents(t) {
		if strings.Contains(raw, secret) {
			t.Error("a record has the secret")
		}
	}
}

func TestUserTags(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	f.ok("TagUser", "UserName", "u", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red", "Tags.member.2.Key", "b", "Tags.member.2.Value", "")
	f.ok("TagUser", "UserName", "u", "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")
	f.has(f.ok("ListUserTags", "UserName", "u"), "<Tags><member><Key>b</Key><Value></Value></member><member><Key>team</Key><Value>blue</Value></member></Tags>",
		"<IsTruncated>false</IsTruncated>")
	f.ok("UntagUser", "UserName", "u", "TagKeys.member.1", "TEAM", "TagKeys.member.2", "absent")
	if got := values(f.ok("ListUserTags", "UserName", "u"), "Key"); len(got) != 1 || got[0] != "b" {
		t.Errorf("left are %q", got)
	}
	form := []string{"UserName", "u"}
	for i := range 49 {
		n := strconv.Itoa(i + 1)
		form = append(form, "Tags.member."+n+".Key", "k"+n, "Tags.member."+n+".Value", "")
	}
	f.ok("TagUser", form...)
	f.refuse("LimitExceeded: Cannot exceed quota for TagsPerResource: 50", "TagUser", "UserName", "u", "Tags.member.1.Key", "k50", "Tags.member.1.Value", "")
	f.ok("TagUser", "UserName", "u", "Tags.member.1.Key", "k49", "Tags.member.1.Value", "changed")
}

// TestPaging goes through a list page by page; what is made and deleted meanwhile
// loses nobody.
func TestPaging(t *testing.T) {
	f := newFixture(t)
	for i := range 7 {
		f.ok("CreateUser", "UserName", "u"+strconv.Itoa(i), "Path", "/p"+strconv.Itoa(i%2)+"/")
	}
	page := f.ok("ListUsers", "MaxItems", "3")
	names, marker := values(page, "UserName"), f.value(page, "Marker")
	f.has(page, "<IsTruncated>true</IsTruncated>")
	f.ok("DeleteUser", "UserName", names[2]) // the marker's own user
	for marker != "" {
		page = f.ok("ListUsers", "MaxItems", "3", "Marker", marker)
		names = append(names, values(page, "UserName")...)
		if marker = ""; strings.Contains(page, "<Marker>") {
			marker = f.value(page, "Marker")
		}
	}
	if got := strings.Join(names, " "); got != "admin u0 u1 u2 u3 u4 u5 u6" {
		t.Errorf("pages have %s", got)
	}
	f.has(page, "<IsTruncated>false</IsTruncated>")
	if got := values(f.ok("ListUsers", "PathPrefix", "/p1/"), "UserName"); strings.Join(got, " ") != "u3 u5" {
		t.Errorf("under /p1/ are %q", got)
	}
	f.refuse("ValidationError: Invalid Marker.", "ListUsers", "Marker", "!")
	f.refuse("ValidationError: 1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "+
		"Member must have value greater than or equal to 1", "ListUsers", "MaxItems", "0")
}

// TestUserQuota: the number of users is counted.
func TestUserQuota(t *testing.T) {
	f := newFixture(t)
	f.change(func(tx *fsm.Txn) (err error) {
		for i := range 4999 {
			name := "x" + strconv.Itoa(i)
			err = errors.Join(err, state.Users.Put(tx, &state.User{AccountID: f.root.AccountID, Name: name}, f.root.AccountID, name))
		}
		return err
	})
	f.refuse("LimitExceeded: Cannot exceed quota for UsersPerAccount: 5000", "CreateUser", "UserName", "u")
}
