package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type listEntitiesRequest struct {
	ARN, Filter, PathPrefix, Usage string
	page
}

func listEntitiesShape() *shape.Struct[listEntitiesRequest] {
	type r = listEntitiesRequest
	kinds := []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}
	return shape.Of(append([]shape.Member[r]{
		shape.Text("PolicyArn", arnType(), func(q *r) *string { return &q.ARN }).Required(),
		shape.Text("EntityFilter", shape.String{Enum: kinds}, func(q *r) *string { return &q.Filter }),
		shape.Text("PathPrefix", pathType(), func(q *r) *string { return &q.PathPrefix }),
		shape.Text("PolicyUsageFilter", usageType(), func(q *r) *string { return &q.Usage }),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

type entity struct {
	UserName  string `xml:",omitempty"`
	UserID    string `xml:"UserId,omitempty"`
	GroupName string `xml:",omitempty"`
	GroupID   string `xml:"GroupId,omitempty"`
	RoleName  string `xml:",omitempty"`
	RoleID    string `xml:"RoleId,omitempty"`
}

type entitiesResponse struct {
	PolicyGroups query.List[entity]
	PolicyUsers  query.List[entity]
	PolicyRoles  query.List[entity]
	truncation
}

// listEntities lists who has a policy, or is bounded by it.
func (s *Service) listEntities(v *visit, q *listEntitiesRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN, PathPrefix: q.PathPrefix, Marker: q.Marker, MaxItems: q.MaxItems}
	if err := s.permit(v, q.ARN); err != nil {
		return nil, err
	}
	if _, err := s.policyAt(v, q.ARN); err != nil {
		return nil, err
	}
	out := &entitiesResponse{}
	if q.Usage == "PermissionsBoundary" {
		return out, out.addBounded(v, q)
	}
	var failed error
	err := listUnder(v, state.AttachedTo, []string{v.account, q.ARN}, q.page, &out.truncation, func(id string, _ *state.Attached) bool {
		failed = errors.Join(failed, out.add(v, q, id))
		return true
	})
	return out, errors.Join(err, failed)
}

// add adds the identity that has a unique id.
func (out *entitiesResponse) add(v *visit, q *listEntitiesRequest, id string) error {
	who, _, err := state.Identities.Peek(v.tx.View(), id)
	if err != nil || who == nil {
		return err
	}
	switch who.Kind {
	case state.UserKind:
		u, err := byID(v, state.Users, id)
		if err == nil && u != nil {
			out.addUser(q, u)
		}
		return err
	case state.GroupKind:
		g, err := byID(v, state.Groups, id)
		if err == nil && g != nil && q.wants("Group", g.Path) {
			out.PolicyGroups = append(out.PolicyGroups, entity{GroupName: g.Name, GroupID: g.ID})
		}
		return err
	}
	r, err := byID(v, state.Roles, id)
	if err == nil && r != nil {
		out.addRole(q, r)
	}
	return err
}

func (out *entitiesResponse) addUser(q *listEntitiesRequest, u *state.User) {
	if q.wants("User", u.Path) {
		out.PolicyUsers = append(out.PolicyUsers, entity{UserName: u.Name, UserID: u.ID})
	}
}

func (out *entitiesResponse) addRole(q *listEntitiesRequest, r *state.Role) {
	if q.wants("Role", r.Path) {
		out.PolicyRoles = append(out.PolicyRoles, entity{RoleName: r.Name, RoleID: r.ID})
	}
}

// addBounded adds the users and roles that the policy bounds, on one page.
func (out *entitiesResponse) addBounded(v *visit, q *listEntitiesRequest) error {
	err := state.Users.Scan(v.tx.View(), []string{v.account}, nil, func(_ []string, u *state.User) (bool, error) {
		if u.Boundary == q.ARN {
			out.addUser(q, u)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return state.Roles.Scan(v.tx.View(), []string{v.account}, nil, func(_ []string, r *state.Role) (bool, error) {
		if r.Boundary == q.ARN {
			out.addRole(q, r)
		}
		return true, nil
	})
}

// wants says whether a list takes an identity of a kind and path.
func (q *listEntitiesRequest) wants(kind, path string) bool {
	return (q.Filter == "" || q.Filter == kind) && strings.HasPrefix(path, q.PathPrefix)
}
