package iam_test

import (
	"strconv"
	"testing"
)

func TestGroups(t *testing.T) {
	f := newFixture(t)
	arn := "arn:aws:iam::" + f.root.AccountID + ":group"
	made := f.ok("CreateGroup", "GroupName", "Ops", "Path", "/a/")
	id := f.value(made, "GroupId")
	f.has(made, "<Arn>"+arn+"/a/Ops</Arn>")
	if want := `CreateGroup false {"groupName":"Ops","path":"/a/"} {"group":{"path":"/a/","groupName":"Ops","groupId":"` + id +
		`","arn":"` + arn + `/a/Ops","createDate":"Sep 21, 2026, 2:13:20 PM"}}`; f.recorded() != want {
		t.Errorf("recorded %s\nwant %s", f.recorded(), want)
	}
	f.refuse("EntityAlreadyExists: Group with name ops already exists.", "CreateGroup", "GroupName", "ops")
	f.refuse("NoSuchEntity: The group with name none cannot be found.", "GetGroup", "GroupName", "none")
	f.ok("CreateUser", "UserName", "u")
	f.refuse("NoSuchEntity: The user with name none cannot be found.", "AddUserToGroup", "GroupName", "ops", "UserName", "none")
	f.refuse("NoSuchEntity: The group with name none cannot be found.", "AddUserToGroup", "GroupName", "none", "UserName", "u")
	f.ok("AddUserToGroup", "GroupName", "ops", "UserName", "u")
	f.ok("AddUserToGroup", "GroupName", "ops", "UserName", "U") // once more changes nothing
	f.has(f.ok("GetGroup", "GroupName", "ops"), "<GroupId>"+id+"</GroupId>", "<UserName>u</UserName>")

	f.ok("UpdateGroup", "GroupName", "ops", "NewGroupName", "Eng", "NewPath", "/b/")
	f.has(f.ok("ListGroupsForUser", "UserName", "u"), "<Arn>"+arn+"/b/Eng</Arn>", "<GroupId>"+id+"</GroupId>")
	f.ok("CreateGroup", "GroupName", "other")
	f.refuse("EntityAlreadyExists: Group with name OTHER already exists.", "UpdateGroup", "GroupName", "eng", "NewGroupName", "OTHER")
	if got := values(f.ok("ListGroups", "PathPrefix", "/b"), "GroupName"); len(got) != 1 || got[0] != "Eng" {
		t.Errorf("listed %q", got)
	}

	f.ok("AttachGroupPolicy", "GroupName", "eng", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	f.ok("PutGroupPolicy", "GroupName", "eng", "PolicyName", "p", "PolicyDocument", document("Allow", "kms:*"))
	for _, step := range []struct{ what, operation, name, value string }{
		{"must remove users from group first.", "RemoveUserFromGroup", "UserName", "u"},
		{"must detach all policies first.", "DetachGroupPolicy", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		{"must delete policies first.", "DeleteGroupPolicy", "PolicyName", "p"},
	} {
		f.refuse("DeleteConflict: Cannot delete entity, "+step.what, "DeleteGroup", "GroupName", "eng")
		f.ok(step.operation, "GroupName", "eng", step.name, step.value)
	}
	f.ok("DeleteGroup", "GroupName", "eng")
	f.refuse("NoSuchEntity: The group with name eng cannot be found.", "DeleteGroup", "GroupName", "eng")
}

func TestGroupQuotas(t *testing.T) {
	f := newFixture(t)
	f.ok("CreateUser", "UserName", "u")
	for i := range 300 {
		f.ok("CreateGroup", "GroupName", "g"+strconv.Itoa(i))
	}
	f.refuse("LimitExceeded: Cannot exceed quota for GroupsPerAccount: 300", "CreateGroup", "GroupName", "more")
	for i := range 10 {
		f.ok("AddUserToGroup", "GroupName", "g"+strconv.Itoa(i), "UserName", "u")
	}
	f.refuse("LimitExceeded: Cannot exceed quota for GroupsPerUser: 10", "AddUserToGroup", "GroupName", "g10", "UserName", "u")
	f.ok("AddUserToGroup", "GroupName", "g3", "UserName", "u")
	page := f.ok("ListGroupsForUser", "UserName", "u", "MaxItems", "4")
	got := len(values(page, "GroupName"))
	page = f.ok("ListGroupsForUser", "UserName", "u", "MaxItems", "6", "Marker", f.value(page, "Marker"))
	if got += len(values(page, "GroupName")); got != 10 {
		t.Errorf("%d groups on two pages", got)
	}
	f.has(page, "<IsTruncated>false</IsTruncated>")
}
