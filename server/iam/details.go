package iam

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type detailsRequest struct {
	Filter []string
	page
}

func detailsShape() *shape.Struct[detailsRequest] {
	type r = detailsRequest
	kinds := []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}
	return shape.Of(append([]shape.Member[r]{
		shape.Texts("Filter", shape.List{}, shape.String{Enum: kinds}, func(q *r) *[]string { return &q.Filter }),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

type detailsResponse struct {
	UserDetailList  query.List[userDetail]
	GroupDetailList query.List[groupDetail]
	RoleDetailList  query.List[roleDetail]
	Policies        query.List[policyDetail]
	truncation
}

type userDetail struct {
	user
	UserPolicyList          query.List[inlineDetail]
	GroupList               query.List[string]
	AttachedManagedPolicies query.List[attachedPolicy]
}

type groupDetail struct {
	group
	GroupPolicyList         query.List[inlineDetail]
	AttachedManagedPolicies query.List[attachedPolicy]
}

type roleDetail struct {
	role
	InstanceProfileList     query.List[string]
	RolePolicyList          query.List[inlineDetail]
	AttachedManagedPolicies query.List[attachedPolicy]
}

type policyDetail struct {
	describedPolicy
	PolicyVersionList query.List[version]
}

type inlineDetail struct{ PolicyName, PolicyDocument string }

// accountDetails answers all that the account has, kind after kind, in pages. Of
// AWS's policies it has those that are attached ("GetAccountAuthorizationDetails",
// IAM API reference).
func (s *Service) accountDetails(v *visit, q *detailsRequest) (any, error) {
	v.c.Record.Parameters = &parameters{Filter: q.Filter, Marker: q.Marker, MaxItems: q.MaxItems}
	if err := s.permit(v, "*"); err != nil {
		return nil, err
	}
	d := &details{s: s, v: v, out: &detailsResponse{}, left: q.limit()}
	first, err := d.resume(q.page)
	if err != nil {
		return nil, err
	}
	for i, kind := range d.kinds() {
		if i < first || len(q.Filter) > 0 && !slices.Contains(q.Filter, kind.name) {
			continue
		}
		if done, err := d.take(i, kind.list); err != nil || done {
			return d.out, err
		}
	}
	return d.out, nil
}

// details is an answer in the making.
type details struct {
	s      *Service
	v      *visit
	out    *detailsResponse
	left   int    // entries that the page has room for
	marker string // of the kind that the page begins with
}

// detailKind is a kind of entries: list adds a page of them.
type detailKind struct {
	name string
	list func(p page, t *truncation) (n int, err error)
}

func (d *details) kinds() []detailKind {
	return []detailKind{
		{"User", d.users}, {"Group", d.groups}, {"Role", d.roles}, {"LocalManagedPolicy", d.policies}, {"AWSManagedPolicy", d.attached},
	}
}

// A marker is the number of a kind and the marker in its list.
func (d *details) resume(p page) (kind int, err error) {
	last, err := p.last()
	if err != nil || last == "" {
		return 0, err
	}
	number, marker, _ := strings.Cut(last, "/")
	if kind, err = strconv.Atoi(number); err != nil {
		return 0, invalid("Invalid Marker.")
	}
	d.marker = marker
	return kind, nil
}

// take adds the entries of a kind, and answers whether the page is full.
func (d *details) take(kind int, list func(p page, t *truncation) (int, error)) (done bool, err error) {
	t := truncation{IsTruncated: d.left == 0, Marker: d.marker}
	if d.left > 0 {
		n, err := list(page{Marker: d.marker, MaxItems: d.left}, &t)
		if err != nil {
			return false, err
		}
		d.left, d.marker = d.left-n, ""
	}
	if t.IsTruncated {
		d.out.IsTruncated = true
		d.out.Marker = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(kind) + "/" + t.Marker))
	}
	return t.IsTruncated, nil
}

// listed is list, and counts. Its add never leaves an entry out.
func listed[T any](v *visit, table fsm.Table[T], p page, t *truncation, add func(*T) error) (n int, err error) {
	var failed error
	err = list(v, table, p, t, func(entry *T) bool {
		n++
		failed = errors.Join(failed, add(entry))
		return true
	})
	return n, errors.Join(err, failed)
}

func (d *details) users(p page, t *truncation) (int, error) {
	return listed(d.v, state.Users, p, t, func(u *state.User) error {
		detail := userDetail{user: describeUser(u)}
		err := each(d.v, state.UserGroups, u.ID, func(id string, _ *state.Membership) error {
			g, err := byID(d.v, state.Groups, id)
			if err == nil && g != nil {
				detail.GroupList = append(detail.GroupList, g.Name)
			}
			return err
		})
		var inlined, attached error
		detail.UserPolicyList, inlined = d.inline(u.ID)
		detail.AttachedManagedPolicies, attached = d.attachments(u.ID)
		d.out.UserDetailList = append(d.out.UserDetailList, detail)
		return errors.Join(err, inlined, attached)
	})
}

func (d *details) groups(p page, t *truncation) (int, error) {
	return listed(d.v, state.Groups, p, t, func(g *state.Group) error {
		detail := groupDetail{group: describeGroup(g)}
		var inlined, attached error
		detail.GroupPolicyList, inlined = d.inline(g.ID)
		detail.AttachedManagedPolicies, attached = d.attachments(g.ID)
		d.out.GroupDetailList = append(d.out.GroupDetailList, detail)
		return errors.Join(inlined, attached)
	})
}

func (d *details) roles(p page, t *truncation) (int, error) {
	return listed(d.v, state.Roles, p, t, func(r *state.Role) error {
		described, err := describeRole(d.v, r)
		detail := roleDetail{role: described}
		var inlined, attached error
		detail.RolePolicyList, inlined = d.inline(r.ID)
		detail.AttachedManagedPolicies, attached = d.attachments(r.ID)
		d.out.RoleDetailList = append(d.out.RoleDetailList, detail)
		return errors.Join(err, inlined, attached)
	})
}

func (d *details) policies(p page, t *truncation) (int, error) {
	return listed(d.v, state.Policies, p, t, func(p *state.Policy) error {
		described, err := d.s.describePolicy(d.v, p)
		detail := policyDetail{describedPolicy: described}
		err = errors.Join(err, each(d.v, state.PolicyVersions, strings.ToLower(p.Name), func(key string, found *state.PolicyVersion) error {
			number, err := strconv.Atoi(key)
			detail.PolicyVersionList = append(detail.PolicyVersionList, version{
				Document: escaped(found.Text), VersionID: versionID(number), IsDefaultVersion: number == p.Default, CreateDate: query.Time(found.Created),
			})
			return err
		}))
		d.out.Policies = append(d.out.Policies, detail)
		return err
	})
}

// attached adds the policies of AWS that somebody has; there are few.
func (d *details) attached(p page, t *truncation) (n int, err error) {
	last, err := p.last()
	if err != nil {
		return 0, err
	}
	for _, m := range managed.All() {
		described, err := d.s.describeManaged(d.v, m)
		if err != nil {
			return n, err
		}
		if m.Name <= last || described.AttachmentCount+described.PermissionsBoundaryUsageCount == 0 {
			continue
		}
		if t.full(p, n, last) {
			return n, nil
		}
		n, last = n+1, m.Name
		d.out.Policies = append(d.out.Policies, policyDetail{described, query.List[version]{
			{Document: escaped(m.Text), VersionID: "v1", IsDefaultVersion: true, CreateDate: query.Time(m.Created)},
		}})
	}
	return n, nil
}

func (d *details) inline(id string) (list query.List[inlineDetail], err error) {
	err = each(d.v, state.InlinePolicies, id, func(_ string, p *state.InlinePolicy) error {
		list = append(list, inlineDetail{p.Name, escaped(p.Text)})
		return nil
	})
	return list, err
}

func (d *details) attachments(id string) (list query.List[attachedPolicy], err error) {
	err = each(d.v, state.Attachments, id, func(arn string, _ *state.Attachment) error {
		list = append(list, attachedPolicy{PolicyName: arn[strings.LastIndexByte(arn, '/')+1:], PolicyARN: arn})
		return nil
	})
	return list, err
}
