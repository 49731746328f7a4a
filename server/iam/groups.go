package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// The quotas of groups ("IAM and STS quotas", IAM user guide).
const (
	maxGroups     = 300
	maxUserGroups = 10
)

func (s *Service) groupOperations() []operation {
	return []operation{
		bind(s, "CreateGroup", writes, createGroupShape(), s.createGroup),
		bind(s, "GetGroup", reads, getGroupShape(), s.getGroup),
		bind(s, "ListGroups", reads, listPathShape(), s.listGroups),
		bind(s, "UpdateGroup", writes, updateGroupShape(), s.updateGroup),
		bind(s, "DeleteGroup", writes, groupShape(), s.deleteGroup),
		bind(s, "AddUserToGroup", writes, membershipShape(), s.addUserToGroup),
		bind(s, "RemoveUserFromGroup", writes, membershipShape(), s.removeUserFromGroup),
		bind(s, "ListGroupsForUser", reads, listOfShape("UserName", existingUserNameType()), s.listGroupsForUser),
	}
}

type createGroupRequest struct{ Path, GroupName string }

func createGroupShape() *shape.Struct[createGroupRequest] {
	type r = createGroupRequest
	return shape.Of(
		shape.Text("Path", pathType(), func(q *r) *string { return &q.Path }),
		shape.Text("GroupName", groupNameType(), func(q *r) *string { return &q.GroupName }).Required(),
	)
}

// group is a group in an answer.
type group struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	ARN        string `xml:"Arn"`
	CreateDate query.Time
}

func describeGroup(g *state.Group) group {
	return group{Path: g.Path, GroupName: g.Name, GroupID: g.ID, ARN: g.ARN(), CreateDate: query.Time(g.Created)}
}

type groupResponse struct{ Group group }

func (s *Service) createGroup(v *visit, q *createGroupRequest) (any, error) {
	v.c.Record.Parameters = &parameters{GroupName: q.GroupName, Path: q.Path}
	path, name := orRoot(q.Path), strings.ToLower(q.GroupName)
	if err := s.permit(v, v.arn("group", path, q.GroupName)); err != nil {
		return nil, err
	}
	if old, err := state.Groups.Get(v.tx, v.account, name); err != nil || old != nil {
		return nil, either(err, exists("Group", q.GroupName))
	}
	if n, err := count(v, state.Groups); err != nil || n >= maxGroups {
		return nil, either(err, limitExceeded("GroupsPerAccount", maxGroups))
	}
	id, err := s.cfg.Keys.NewID(v, "AGPA")
	if err != nil {
		return nil, err
	}
	g := &state.Group{AccountID: v.account, Name: q.GroupName, Path: path, ID: id, Created: v.now()}
	v.c.Record.Response = groupElements{recordedEntity{
		Path: path, GroupName: g.Name, GroupID: id, ARN: g.ARN(), CreateDate: calendar(g.Created),
	}}
	return groupResponse{describeGroup(g)}, errors.Join(
		state.Groups.Put(v.tx, g, v.account, name),
		state.Identities.Put(v.tx, &state.Identity{AccountID: v.account, Kind: state.GroupKind, Name: name}, id),
		v.changed(),
	)
}

func groupShape() *shape.Struct[nameRequest] {
	return shape.Of(shape.Text("GroupName", groupNameType(), func(q *nameRequest) *string { return &q.Name }).Required())
}

// group reads the group that a request names.
func (s *Service) group(v *visit, name string) (*state.Group, error) {
	g, err := state.Groups.Get(v.tx, v.account, strings.ToLower(name))
	arn := v.arn("group", "/", name)
	if g != nil {
		arn = g.ARN()
	}
	if err == nil {
		err = s.permit(v, arn)
	}
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, absent("group", name)
	}
	return g, nil
}

// listOfRequest asks for a list of what something has.
type listOfRequest struct {
	Name string
	page
}

func listOfShape(member string, of shape.String) *shape.Struct[listOfRequest] {
	type r = listOfRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text(member, of, func(q *r) *string { return &q.Name }).Required(),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

func getGroupShape() *shape.Struct[listOfRequest] { return listOfShape("GroupName", groupNameType()) }

type getGroupResponse struct {
	Group group
	Users query.List[user]
	truncation
}

func (s *Service) getGroup(v *visit, q *listOfRequest) (any, error) {
	v.c.Record.Parameters = &parameters{GroupName: q.Name, Marker: q.Marker, MaxItems: q.MaxItems}
	g, err := s.group(v, q.Name)
	if err != nil {
		return nil, err
	}
	out := &getGroupResponse{Group: describeGroup(g)}
	var failed error
	err = listUnder(v, state.GroupUsers, []string{v.account, g.ID}, q.page, &out.truncation, func(id string, _ *state.Membership) bool {
		u, err := byID(v, state.Users, id)
		if err != nil || u == nil {
			failed = errors.Join(failed, err)
			return false
		}
		out.Users = append(out.Users, listedUser(u))
		return true
	})
	return out, errors.Join(err, failed)
}

type listGroupsResponse struct {
	Groups query.List[group]
	truncation
}

func (s *Service) listGroups(v *visit, q *listPathRequest) (any, error) {
	v.c.Record.Parameters = q.recorded()
	if err := s.permit(v, v.arn("group", "/", "")); err != nil {
		return nil, err
	}
	out := &listGroupsResponse{}
	err := list(v, state.Groups, q.page, &out.truncation, func(g *state.Group) bool {
		if !strings.HasPrefix(g.Path, q.PathPrefix) {
			return false
		}
		out.Groups = append(out.Groups, describeGroup(g))
		return true
	})
	return out, err
}

type updateGroupRequest struct{ GroupName, NewPath, NewName string }

func updateGroupShape() *shape.Struct[updateGroupRequest] {
	type r = updateGroupRequest
	return shape.Of(
		shape.Text("GroupName", groupNameType(), func(q *r) *string { return &q.GroupName }).Required(),
		shape.Text("NewPath", pathType(), func(q *r) *string { return &q.NewPath }),
		shape.Text("NewGroupName", groupNameType(), func(q *r) *string { return &q.NewName }),
	)
}

func (s *Service) updateGroup(v *visit, q *updateGroupRequest) (any, error) {
	v.c.Record.Parameters = &parameters{GroupName: q.GroupName, NewPath: q.NewPath, NewGroupName: q.NewName}
	g, err := s.group(v, q.GroupName)
	if err != nil {
		return nil, err
	}
	next := *g
	if q.NewPath != "" {
		next.Path = q.NewPath
	}
	if q.NewName != "" {
		next.Name = q.NewName
	}
	if err := s.permit(v, next.ARN()); err != nil {
		return nil, err
	}
	from, to := strings.ToLower(g.Name), strings.ToLower(next.Name)
	if from != to {
		if taken, err := state.Groups.Get(v.tx, v.account, to); err != nil || taken != nil {
			return nil, either(err, exists("Group", q.NewName))
		}
		state.Groups.Delete(v.tx, v.account, from)
	}
	return nil, errors.Join(
		state.Groups.Put(v.tx, &next, v.account, to),
		state.Identities.Put(v.tx, &state.Identity{AccountID: v.account, Kind: state.GroupKind, Name: to}, g.ID),
		v.changed(),
	)
}

func (s *Service) deleteGroup(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{GroupName: q.Name}
	g, err := s.group(v, q.Name)
	if err != nil {
		return nil, err
	}
	for _, child := range []struct {
		has  func(v *visit, id string) (bool, error)
		what string
	}{
		{hasAny(state.GroupUsers), "must remove users from group first."},
		{hasAny(state.Attachments), "must detach all policies first."},
		{hasAny(state.InlinePolicies), "must delete policies first."},
	} {
		if has, err := child.has(v, g.ID); err != nil || has {
			return nil, either(err, inUse("%s", child.what))
		}
	}
	state.Groups.Delete(v.tx, v.account, strings.ToLower(g.Name))
	state.Identities.Delete(v.tx, g.ID)
	return nil, v.changed()
}

type membershipRequest struct{ GroupName, UserName string }

func membershipShape() *shape.Struct[membershipRequest] {
	type r = membershipRequest
	return shape.Of(
		shape.Text("GroupName", groupNameType(), func(q *r) *string { return &q.GroupName }).Required(),
		shape.Text("UserName", existingUserNameType(), func(q *r) *string { return &q.UserName }).Required(),
	)
}

// members reads the group and the user that a request names; the permission is
// about the group ("Actions defined by IAM", service authorization reference).
func (s *Service) members(v *visit, q *membershipRequest) (*state.Group, *state.User, error) {
	v.c.Record.Parameters = &parameters{GroupName: q.GroupName, UserName: q.UserName}
	g, err := s.group(v, q.GroupName)
	if err != nil {
		return nil, nil, err
	}
	u, err := state.Users.Get(v.tx, v.account, strings.ToLower(q.UserName))
	if err != nil || u == nil {
		return nil, nil, either(err, absent("user", q.UserName))
	}
	return g, u, nil
}

func (s *Service) addUserToGroup(v *visit, q *membershipRequest) (any, error) {
	g, u, err := s.members(v, q)
	if err != nil {
		return nil, err
	}
	n := 0
	if err := each(v, state.UserGroups, u.ID, func(id string, _ *state.Membership) error {
		if id != g.ID {
			n++
		}
		return nil
	}); err != nil || n >= maxUserGroups {
		return nil, either(err, limitExceeded("GroupsPerUser", maxUserGroups))
	}
	return nil, errors.Join(
		state.UserGroups.Put(v.tx, &state.Membership{}, v.account, u.ID, g.ID),
		state.GroupUsers.Put(v.tx, &state.Membership{}, v.account, g.ID, u.ID),
		v.changed(),
	)
}

func (s *Service) removeUserFromGroup(v *visit, q *membershipRequest) (any, error) {
	g, u, err := s.members(v, q)
	if err != nil {
		return nil, err
	}
	state.UserGroups.Delete(v.tx, v.account, u.ID, g.ID)
	state.GroupUsers.Delete(v.tx, v.account, g.ID, u.ID)
	return nil, v.changed()
}

func (s *Service) listGroupsForUser(v *visit, q *listOfRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.Name, Marker: q.Marker, MaxItems: q.MaxItems}
	u, err := s.user(v, q.Name)
	if err != nil {
		return nil, err
	}
	out := &listGroupsResponse{}
	var failed error
	err = listUnder(v, state.UserGroups, []string{v.account, u.ID}, q.page, &out.truncation, func(id string, _ *state.Membership) bool {
		g, err := byID(v, state.Groups, id)
		if err != nil || g == nil {
			failed = errors.Join(failed, err)
			return false
		}
		out.Groups = append(out.Groups, describeGroup(g))
		return true
	})
	return out, errors.Join(err, failed)
}
