package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxUsers is the quota of users of an account.
const maxUsers = 5000

func (s *Service) userOperations() []operation {
	return []operation{
		bind(s, "CreateUser", writes, createUserShape(), s.createUser),
		bind(s, "GetUser", reads, userShape(false), s.getUser),
		bind(s, "ListUsers", reads, listPathShape(), s.listUsers),
		bind(s, "UpdateUser", writes, updateUserShape(), s.updateUser),
		bind(s, "DeleteUser", writes, userShape(true), s.deleteUser),
	}
}

type createUserRequest struct {
	Path, UserName, Boundary string
	Tags                     []tag
}

func createUserShape() *shape.Struct[createUserRequest] {
	type r = createUserRequest
	return shape.Of(
		shape.Text("Path", pathType(), func(q *r) *string { return &q.Path }),
		shape.Text("UserName", userNameType(), func(q *r) *string { return &q.UserName }).Required(),
		shape.Text("PermissionsBoundary", arnType(), func(q *r) *string { return &q.Boundary }),
		shape.Structs("Tags", shape.List{Max: maxTags}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
	)
}

// user is a user in an answer.
type user struct {
	Path                string
	UserName            string
	UserID              string `xml:"UserId"`
	ARN                 string `xml:"Arn"`
	CreateDate          query.Time
	PermissionsBoundary *boundary       `xml:",omitempty"`
	Tags                query.List[tag] `xml:",omitempty"`
}

type boundary struct {
	Type string `xml:"PermissionsBoundaryType"`
	ARN  string `xml:"PermissionsBoundaryArn"`
}

func boundaryOf(arn string) *boundary {
	if arn == "" {
		return nil
	}
	return &boundary{Type: "Policy", ARN: arn}
}

// describeUser is a user as GetUser answers it; lists leave the last two members
// out ("ListUsers", IAM API reference).
func describeUser(u *state.User) user {
	d := listedUser(u)
	d.PermissionsBoundary, d.Tags = boundaryOf(u.Boundary), tagsOf(u.Tags)
	return d
}

func listedUser(u *state.User) user {
	return user{Path: u.Path, UserName: u.Name, UserID: u.ID, ARN: u.ARN(), CreateDate: query.Time(u.Created)}
}

type userResponse struct{ User user }

func (s *Service) createUser(v *visit, q *createUserRequest) (any, error) {
	path := orRoot(q.Path)
	v.c.Record.Parameters = &parameters{
		UserName: q.UserName, Path: q.Path, PermissionsBoundary: q.Boundary, Tags: recordedTags(q.Tags),
	}
	if err := s.permit(v, v.arn("user", path, q.UserName)); err != nil {
		return nil, err
	}
	if err := s.checkNewUser(v, q); err != nil {
		return nil, err
	}
	id, err := s.cfg.Keys.NewID(v, "AIDA")
	if err != nil {
		return nil, err
	}
	u := &state.User{
		AccountID: v.account, Name: q.UserName, Path: path, ID: id, Created: v.now(), Boundary: q.Boundary, Tags: merge(nil, q.Tags),
	}
	name := strings.ToLower(u.Name)
	v.c.Record.Response = userElements{recordedEntity{
		Path: path, UserName: u.Name, UserID: id, ARN: u.ARN(), CreateDate: calendar(u.Created),
	}}
	return userResponse{describeUser(u)}, errors.Join(
		state.Users.Put(v.tx, u, v.account, name),
		state.Identities.Put(v.tx, &state.Identity{AccountID: v.account, Kind: state.UserKind, Name: name}, id),
		v.changed(),
	)
}

func (s *Service) checkNewUser(v *visit, q *createUserRequest) error {
	name := strings.ToLower(q.UserName)
	if plantedCase {
		name = q.UserName
	}
	old, err := state.Users.Get(v.tx, v.account, name)
	if err != nil {
		return err
	}
	if old != nil {
		return exists("User", q.UserName)
	}
	if err := checkTags(q.Tags); err != nil {
		return err
	}
	if err := s.checkBoundary(v, q.Boundary); err != nil {
		return err
	}
	n, err := count(v, state.Users)
	if err == nil && n >= maxUsers {
		return limitExceeded("UsersPerAccount", maxUsers)
	}
	return err
}

// nameRequest names an identity.
type nameRequest struct{ Name string }

func userShape(required bool) *shape.Struct[nameRequest] {
	m := shape.Text("UserName", existingUserNameType(), func(q *nameRequest) *string { return &q.Name })
	if required {
		m = m.Required()
	}
	return shape.Of(m)
}

// user reads the user that a request names; the caller's own where it names
// none.
func (s *Service) user(v *visit, name string) (*state.User, error) {
	if name == "" {
		name = v.c.Principal.UserName
	}
	if name == "" {
		return nil, invalid("Must specify userName when calling with non-User credentials")
	}
	u, err := state.Users.Get(v.tx, v.account, strings.ToLower(name))
	arn := v.arn("user", "/", name)
	if u != nil {
		arn = u.ARN()
	}
	if err == nil {
		err = s.permit(v, arn)
	}
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, absent("user", name)
	}
	return u, nil
}

func (s *Service) getUser(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.Name}
	u, err := s.user(v, q.Name)
	if err != nil {
		return nil, err
	}
	return userResponse{describeUser(u)}, nil
}

type listUsersResponse struct {
	truncation
	Users query.List[user]
}

func (s *Service) listUsers(v *visit, q *listPathRequest) (any, error) {
	v.c.Record.Parameters = q.recorded()
	if err := s.permit(v, v.arn("user", "/", "")); err != nil {
		return nil, err
	}
	out := &listUsersResponse{}
	err := list(v, state.Users, q.page, &out.truncation, func(u *state.User) bool {
		if !strings.HasPrefix(u.Path, q.PathPrefix) {
			return false
		}
		out.Users = append(out.Users, listedUser(u))
		return true
	})
	return out, err
}

type updateUserRequest struct{ UserName, NewPath, NewName string }

func updateUserShape() *shape.Struct[updateUserRequest] {
	type r = updateUserRequest
	return shape.Of(
		shape.Text("UserName", existingUserNameType(), func(q *r) *string { return &q.UserName }).Required(),
		shape.Text("NewPath", pathType(), func(q *r) *string { return &q.NewPath }),
		shape.Text("NewUserName", userNameType(), func(q *r) *string { return &q.NewName }),
	)
}

func (s *Service) updateUser(v *visit, q *updateUserRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.UserName, NewPath: q.NewPath, NewUserName: q.NewName}
	u, err := s.user(v, q.UserName)
	if err != nil {
		return nil, err
	}
	next := *u
	if q.NewPath != "" {
		next.Path = q.NewPath
	}
	if q.NewName != "" {
		next.Name = q.NewName
	}
	if err := s.permit(v, next.ARN()); err != nil {
		return nil, err
	}
	from, to := strings.ToLower(u.Name), strings.ToLower(next.Name)
	if from != to {
		if taken, err := state.Users.Get(v.tx, v.account, to); err != nil || taken != nil {
			return nil, either(err, exists("User", q.NewName))
		}
		state.Users.Delete(v.tx, v.account, from)
	}
	return nil, errors.Join(
		state.Users.Put(v.tx, &next, v.account, to),
		state.Identities.Put(v.tx, &state.Identity{AccountID: v.account, Kind: state.UserKind, Name: to}, u.ID),
		renameAccessKeys(v, u, next.Name),
		v.changed(),
	)
}

// renameAccessKeys tells a user's access keys its new name.
func renameAccessKeys(v *visit, u *state.User, name string) error {
	return eachAccessKey(v, u, func(key *state.AccessKey) error {
		next := *key
		next.UserName = name
		return state.AccessKeys.Put(v.tx, &next, key.ID)
	})
}

// deleteUser deletes a user that has nothing any more, as AWS wants it.
func (s *Service) deleteUser(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.Name}
	u, err := s.user(v, q.Name)
	if err != nil {
		return nil, err
	}
	for _, child := range []struct {
		has  func(v *visit, id string) (bool, error)
		what string
	}{
		{hasAny(state.UserAccessKeys), "must delete access keys first."},
		{hasAny(state.Attachments), "must detach all policies first."},
		{hasAny(state.InlinePolicies), "must delete policies first."},
		{hasAny(state.UserGroups), "must remove users from group first."},
	} {
		if has, err := child.has(v, u.ID); err != nil || has {
			return nil, either(err, inUse("%s", child.what))
		}
	}
	state.Users.Delete(v.tx, v.account, strings.ToLower(u.Name))
	state.Identities.Delete(v.tx, u.ID)
	return nil, v.changed()
}
