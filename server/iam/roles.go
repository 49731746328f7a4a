package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

const (
	maxRoles = 1000
	// usualSession is how long sessions of a role last at most, unless its maker
	// says otherwise, in seconds.
	usualSession = 3600
)

func (s *Service) roleOperations() []operation {
	return []operation{
		bind(s, "CreateRole", writes, createRoleShape(), s.createRole),
		bind(s, "GetRole", reads, roleShape(), s.getRole),
		bind(s, "ListRoles", reads, listPathShape(), s.listRoles),
		bind(s, "UpdateRole", writes, updateRoleShape(), s.updateRole),
		bind(s, "UpdateRoleDescription", writes, updateRoleDescriptionShape(), s.updateRoleDescription),
		bind(s, "UpdateAssumeRolePolicy", writes, updateAssumeRolePolicyShape(), s.updateAssumeRolePolicy),
		bind(s, "DeleteRole", writes, roleShape(), s.deleteRole),
	}
}

type createRoleRequest struct {
	Path, RoleName, Trust, Description, Boundary string
	MaxSession                                   int
	Tags                                         []tag
}

func createRoleShape() *shape.Struct[createRoleRequest] {
	type r = createRoleRequest
	return shape.Of(
		shape.Text("Path", pathType(), func(q *r) *string { return &q.Path }),
		shape.Text("RoleName", roleNameType(), func(q *r) *string { return &q.RoleName }).Required(),
		shape.Text("AssumeRolePolicyDocument", policyDocumentType(), func(q *r) *string { return &q.Trust }).Required(),
		shape.Text("Description", roleDescriptionType(), func(q *r) *string { return &q.Description }),
		shape.Number("MaxSessionDuration", maxSessionType(), func(q *r) *int { return &q.MaxSession }),
		shape.Text("PermissionsBoundary", arnType(), func(q *r) *string { return &q.Boundary }),
		shape.Structs("Tags", shape.List{Max: maxTags}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
	)
}

// role is a role in an answer. Documents are URL-encoded (RFC 3986), as the API
// reference says.
type role struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	ARN                      string `xml:"Arn"`
	CreateDate               query.Time
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundary       `xml:",omitempty"`
	Tags                     query.List[tag] `xml:",omitempty"`
}

// describeRole is a role as GetRole answers it; lists leave the last two members
// out.
func describeRole(v *visit, r *state.Role) (role, error) {
	d, err := listedRole(v, r)
	d.PermissionsBoundary, d.Tags = boundaryOf(r.Boundary), tagsOf(r.Tags)
	return d, err
}

func listedRole(v *visit, r *state.Role) (role, error) {
	trust, err := authz.Shown(v.tx, r.Trust, r.TrustIDs)
	return role{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, ARN: r.ARN(), CreateDate: query.Time(r.Created),
		AssumeRolePolicyDocument: escaped(trust), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}, err
}

type roleResponse struct{ Role role }

func (s *Service) createRole(v *visit, q *createRoleRequest) (any, error) {
	v.c.Record.Parameters = &parameters{
		RoleName: q.RoleName, Path: q.Path, AssumeRolePolicyDocument: q.Trust, Description: q.Description,
		PermissionsBoundary: q.Boundary, MaxSessionDuration: q.MaxSession, Tags: recordedTags(q.Tags),
	}
	path, name := orRoot(q.Path), strings.ToLower(q.RoleName)
	if err := s.permit(v, v.arn("role", path, q.RoleName)); err != nil {
		return nil, err
	}
	if err := s.checkNewRole(v, q); err != nil {
		return nil, err
	}
	trusted, err := s.checkTrust(v, q.Trust)
	if err != nil {
		return nil, err
	}
	id, err := s.cfg.Keys.NewID(v, "AROA")
	if err != nil {
		return nil, err
	}
	r := &state.Role{
		AccountID: v.account, Name: q.RoleName, Path: path, ID: id, Created: v.now(), Description: q.Description,
		Trust: q.Trust, TrustIDs: trusted, MaxSession: max(q.MaxSession, usualSession), Boundary: q.Boundary, Tags: merge(nil, q.Tags),
	}
	v.c.Record.Response = roleElements{recordedEntity{
		Path: path, RoleName: r.Name, RoleID: id, ARN: r.ARN(), CreateDate: calendar(r.Created),
	}}
	made, err := describeRole(v, r)
	return roleResponse{made}, errors.Join(err,
		state.Roles.Put(v.tx, r, v.account, name),
		state.Identities.Put(v.tx, &state.Identity{AccountID: v.account, Kind: state.RoleKind, Name: name}, id),
		v.changed(),
	)
}

func (s *Service) checkNewRole(v *visit, q *createRoleRequest) error {
	old, err := state.Roles.Get(v.tx, v.account, strings.ToLower(q.RoleName))
	if err != nil || old != nil {
		return either(err, exists("Role", q.RoleName))
	}
	if err := checkTags(q.Tags); err != nil {
		return err
	}
	if err := s.checkBoundary(v, q.Boundary); err != nil {
		return err
	}
	if n, err := count(v, state.Roles); err != nil || n >= maxRoles {
		return either(err, limitExceeded("RolesPerAccount", maxRoles))
	}
	return nil
}

func roleShape() *shape.Struct[nameRequest] {
	return shape.Of(shape.Text("RoleName", roleNameType(), func(q *nameRequest) *string { return &q.Name }).Required())
}

// role reads the role that a request names.
func (s *Service) role(v *visit, name string) (*state.Role, error) {
	r, err := state.Roles.Get(v.tx, v.account, strings.ToLower(name))
	arn := v.arn("role", "/", name)
	if r != nil {
		arn = r.ARN()
	}
	if err == nil {
		err = s.permit(v, arn)
	}
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, absent("role", name)
	}
	return r, nil
}

func (s *Service) getRole(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{RoleName: q.Name}
	r, err := s.role(v, q.Name)
	if err != nil {
		return nil, err
	}
	described, err := describeRole(v, r)
	return roleResponse{described}, err
}

type listRolesResponse struct {
	Roles query.List[role]
	truncation
}

func (s *Service) listRoles(v *visit, q *listPathRequest) (any, error) {
	v.c.Record.Parameters = q.recorded()
	if err := s.permit(v, v.arn("role", "/", "")); err != nil {
		return nil, err
	}
	out := &listRolesResponse{}
	var failed error
	err := list(v, state.Roles, q.page, &out.truncation, func(r *state.Role) bool {
		if !strings.HasPrefix(r.Path, q.PathPrefix) {
			return false
		}
		listed, err := listedRole(v, r)
		failed = errors.Join(failed, err)
		out.Roles = append(out.Roles, listed)
		return true
	})
	return out, errors.Join(err, failed)
}

type updateRoleRequest struct {
	RoleName, Description string
	MaxSession            int
}

func updateRoleShape() *shape.Struct[updateRoleRequest] {
	type r = updateRoleRequest
	return shape.Of(
		shape.Text("RoleName", roleNameType(), func(q *r) *string { return &q.RoleName }).Required(),
		shape.Text("Description", roleDescriptionType(), func(q *r) *string { return &q.Description }),
		shape.Number("MaxSessionDuration", maxSessionType(), func(q *r) *int { return &q.MaxSession }),
	)
}

type emptyResponse struct{}

func (s *Service) updateRole(v *visit, q *updateRoleRequest) (any, error) {
	v.c.Record.Parameters = &parameters{RoleName: q.RoleName, Description: q.Description, MaxSessionDuration: q.MaxSession}
	r, err := s.role(v, q.RoleName)
	if err != nil {
		return nil, err
	}
	next := *r
	next.Description = q.Description
	next.MaxSession = max(q.MaxSession, usualSession)
	return emptyResponse{}, s.putRole(v, &next)
}

func updateRoleDescriptionShape() *shape.Struct[updateRoleRequest] {
	type r = updateRoleRequest
	return shape.Of(
		shape.Text("RoleName", roleNameType(), func(q *r) *string { return &q.RoleName }).Required(),
		shape.Text("Description", roleDescriptionType(), func(q *r) *string { return &q.Description }).Required(),
	)
}

func (s *Service) updateRoleDescription(v *visit, q *updateRoleRequest) (any, error) {
	v.c.Record.Parameters = &parameters{RoleName: q.RoleName, Description: q.Description}
	r, err := s.role(v, q.RoleName)
	if err != nil {
		return nil, err
	}
	next := *r
	next.Description = q.Description
	described, err := describeRole(v, &next)
	return roleResponse{described}, errors.Join(err, s.putRole(v, &next))
}

type updateTrustRequest struct{ RoleName, Trust string }

func updateAssumeRolePolicyShape() *shape.Struct[updateTrustRequest] {
	type r = updateTrustRequest
	return shape.Of(
		shape.Text("RoleName", roleNameType(), func(q *r) *string { return &q.RoleName }).Required(),
		shape.Text("PolicyDocument", policyDocumentType(), func(q *r) *string { return &q.Trust }).Required(),
	)
}

func (s *Service) updateAssumeRolePolicy(v *visit, q *updateTrustRequest) (any, error) {
	v.c.Record.Parameters = &parameters{RoleName: q.RoleName, PolicyDocument: q.Trust}
	r, err := s.role(v, q.RoleName)
	if err != nil {
		return nil, err
	}
	next := *r
	next.Trust = q.Trust
	if next.TrustIDs, err = s.checkTrust(v, q.Trust); err != nil {
		return nil, err
	}
	return nil, s.putRole(v, &next)
}

func (s *Service) putRole(v *visit, r *state.Role) error {
	return errors.Join(state.Roles.Put(v.tx, r, v.account, strings.ToLower(r.Name)), v.changed())
}

func (s *Service) deleteRole(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{RoleName: q.Name}
	r, err := s.role(v, q.Name)
	if err != nil {
		return nil, err
	}
	if has, err := hasAny(state.Attachments)(v, r.ID); err != nil || has {
		return nil, either(err, inUse("must detach all policies first."))
	}
	if has, err := hasAny(state.InlinePolicies)(v, r.ID); err != nil || has {
		return nil, either(err, inUse("must delete policies first."))
	}
	state.Roles.Delete(v.tx, v.account, strings.ToLower(r.Name))
	state.Identities.Delete(v.tx, r.ID)
	return nil, v.changed()
}
