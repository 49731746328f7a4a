package iam

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxPolicies is the quota of managed policies of an account.
const maxPolicies = 1500

func (s *Service) policyOperations() []operation {
	name := shape.Text("PolicyArn", arnType(), func(q *tagRequest) *string { return &q.Name }).Required()
	table := []operation{
		bind(s, "CreatePolicy", writes, createPolicyShape(), s.createPolicy),
		bind(s, "GetPolicy", reads, policyShape(), s.getPolicy),
		bind(s, "ListPolicies", reads, listPoliciesShape(), s.listPolicies),
		bind(s, "DeletePolicy", writes, policyShape(), s.deletePolicy),
		bind(s, "ListEntitiesForPolicy", reads, listEntitiesShape(), s.listEntities),
	}
	table = append(table, s.versionOperations()...)
	return append(table, s.tagging("Policy", name, func(v *visit, q *tagRequest) (*holder, error) {
		v.c.Record.Parameters = &parameters{
			PolicyARN: q.Name, Tags: recordedTags(q.Tags), TagKeys: q.Keys, Marker: q.Marker, MaxItems: q.MaxItems,
		}
		p, err := s.ownPolicy(v, q.Name)
		if err != nil {
			return nil, err
		}
		return &holder{id: p.ID, tags: p.Tags, put: func(_ string, tags []state.Tag) error {
			next := *p
			next.Tags = tags
			return s.putPolicy(v, &next)
		}}, nil
	})...)
}

type createPolicyRequest struct {
	Name, Path, Document, Description string
	Tags                              []tag
}

func createPolicyShape() *shape.Struct[createPolicyRequest] {
	type r = createPolicyRequest
	return shape.Of(
		shape.Text("PolicyName", policyNameType(), func(q *r) *string { return &q.Name }).Required(),
		shape.Text("Path", policyPathType(), func(q *r) *string { return &q.Path }),
		shape.Text("PolicyDocument", policyDocumentType(), func(q *r) *string { return &q.Document }).Required(),
		shape.Text("Description", policyDescriptionType(), func(q *r) *string { return &q.Description }),
		shape.Structs("Tags", shape.List{Max: maxTags}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
	)
}

// describedPolicy is a managed policy in an answer.
type describedPolicy struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	ARN                           string `xml:"Arn"`
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate                    query.Time
	UpdateDate                    query.Time
	Tags                          query.List[tag] `xml:",omitempty"`
}

func (s *Service) describePolicy(v *visit, p *state.Policy) (describedPolicy, error) {
	n := 0
	err := each(v, state.AttachedTo, p.ARN(), func(string, *state.Attached) error { n++; return nil })
	if err != nil {
		return describedPolicy{}, err
	}
	bounds, err := s.boundaryCount(v, p.ARN())
	return describedPolicy{
		PolicyName: p.Name, PolicyID: p.ID, ARN: p.ARN(), Path: p.Path, DefaultVersionID: versionID(p.Default),
		AttachmentCount: n, PermissionsBoundaryUsageCount: bounds, IsAttachable: true, Description: p.Description,
		CreateDate: query.Time(p.Created), UpdateDate: query.Time(p.Updated),
	}, err
}

// boundaryCount answers how many identities a policy bounds.
func (s *Service) boundaryCount(v *visit, arn string) (n int, err error) {
	err = errors.Join(
		state.Users.Scan(v.tx.View(), []string{v.account}, nil, func(_ []string, u *state.User) (bool, error) {
			if u.Boundary == arn {
				n++
			}
			return true, nil
		}),
		state.Roles.Scan(v.tx.View(), []string{v.account}, nil, func(_ []string, r *state.Role) (bool, error) {
			if r.Boundary == arn {
				n++
			}
			return true, nil
		}))
	return n, err
}

type policyResponse struct{ Policy describedPolicy }

func (s *Service) createPolicy(v *visit, q *createPolicyRequest) (any, error) {
	v.c.Record.Parameters = &parameters{
		PolicyName: q.Name, Path: q.Path, PolicyDocument: q.Document, Description: q.Description, Tags: recordedTags(q.Tags),
	}
	path, name := orRoot(q.Path), strings.ToLower(q.Name)
	if err := s.permit(v, v.arn("policy", path, q.Name)); err != nil {
		return nil, err
	}
	if err := s.checkNewPolicy(v, q); err != nil {
		return nil, err
	}
	id, err := s.cfg.Keys.NewID(v, "ANPA")
	if err != nil {
		return nil, err
	}
	p := &state.Policy{
		AccountID: v.account, Name: q.Name, Path: path, ID: id, Created: v.now(), Updated: v.now(), Description: q.Description,
		Default: 1, Next: 2, Tags: merge(nil, q.Tags),
	}
	v.c.Record.Response = policyElements{recordedEntity{
		Path: path, PolicyName: p.Name, PolicyID: id, ARN: p.ARN(), CreateDate: calendar(p.Created),
	}}
	answer, err := s.describePolicy(v, p)
	answer.Tags = tagsOf(p.Tags)
	return policyResponse{answer}, errors.Join(err,
		state.PolicyVersions.Put(v.tx, &state.PolicyVersion{Text: q.Document, Created: v.now()}, v.account, name, versionKey(1)),
		s.putPolicy(v, p),
	)
}

func (s *Service) checkNewPolicy(v *visit, q *createPolicyRequest) error {
	old, err := state.Policies.Get(v.tx, v.account, strings.ToLower(q.Name))
	if err != nil || old != nil {
		return either(err, failure(409, "EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", q.Name))
	}
	if err := s.checkDocument(q.Document); err != nil {
		return err
	}
	if err := checkTags(q.Tags); err != nil {
		return err
	}
	if n, err := count(v, state.Policies); err != nil || n >= maxPolicies {
		return either(err, limitExceeded("PoliciesPerAccount", maxPolicies))
	}
	return nil
}

func (s *Service) putPolicy(v *visit, p *state.Policy) error {
	return errors.Join(state.Policies.Put(v.tx, p, v.account, strings.ToLower(p.Name)), v.changed())
}

func versionID(n int) string  { return "v" + strconv.Itoa(n) }
func versionKey(n int) string { return fmt.Sprintf("%08d", n) }

// escaped is a document as the API answers it: URL-encoded (RFC 3986).
func escaped(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

type policyRequest struct{ ARN string }

func policyShape() *shape.Struct[policyRequest] {
	return shape.Of(shape.Text("PolicyArn", arnType(), func(q *policyRequest) *string { return &q.ARN }).Required())
}

// policyAt reads a policy that can be attached: of the account, or of AWS, which
// has no record.
func (s *Service) policyAt(v *visit, arn string) (*state.Policy, error) {
	if managed.Find(arn) != nil {
		return nil, nil
	}
	name, own := strings.CutPrefix(arn, "arn:aws:iam::"+v.account+":policy/")
	if !own {
		return nil, noSuchEntity("Policy %s does not exist or is not attachable.", arn)
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	p, _, err := state.Policies.Peek(v.tx.View(), v.account, strings.ToLower(name))
	if err != nil || p == nil || p.ARN() != arn {
		return nil, either(err, noSuchEntity("Policy %s does not exist or is not attachable.", arn))
	}
	return p, nil
}

// ownPolicy reads a policy of the account that a request names, and decides.
func (s *Service) ownPolicy(v *visit, arn string) (*state.Policy, error) {
	if err := s.permit(v, arn); err != nil {
		return nil, err
	}
	p, err := s.policyAt(v, arn)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, failure(403, "AccessDenied", "Policies of AWS cannot be changed: %s", arn)
	}
	return p, nil
}

func (s *Service) getPolicy(v *visit, q *policyRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN}
	if err := s.permit(v, q.ARN); err != nil {
		return nil, err
	}
	if m := managed.Find(q.ARN); m != nil {
		answer, err := s.describeManaged(v, m)
		return policyResponse{answer}, err
	}
	p, err := s.policyAt(v, q.ARN)
	if err != nil {
		return nil, err
	}
	answer, err := s.describePolicy(v, p)
	answer.Tags = tagsOf(p.Tags)
	return policyResponse{answer}, err
}

func (s *Service) describeManaged(v *visit, m *managed.Policy) (describedPolicy, error) {
	n := 0
	err := each(v, state.AttachedTo, m.ARN, func(string, *state.Attached) error { n++; return nil })
	if err != nil {
		return describedPolicy{}, err
	}
	bounds, err := s.boundaryCount(v, m.ARN)
	return describedPolicy{
		PolicyName: m.Name, PolicyID: m.ID, ARN: m.ARN, Path: "/", DefaultVersionID: "v1", AttachmentCount: n,
		PermissionsBoundaryUsageCount: bounds, IsAttachable: true, Description: m.Description,
		CreateDate: query.Time(m.Created), UpdateDate: query.Time(m.Created),
	}, err
}

type listPoliciesRequest struct {
	Scope, PathPrefix, Usage string
	OnlyAttached             bool
	page
}

func listPoliciesShape() *shape.Struct[listPoliciesRequest] {
	type r = listPoliciesRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("Scope", shape.String{Enum: []string{"All", "AWS", "Local"}}, func(q *r) *string { return &q.Scope }),
		shape.Flag("OnlyAttached", func(q *r) *bool { return &q.OnlyAttached }),
		shape.Text("PathPrefix", policyPathType(), func(q *r) *string { return &q.PathPrefix }),
		shape.Text("PolicyUsageFilter", usageType(), func(q *r) *string { return &q.Usage }),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

type listPoliciesResponse struct {
	Policies query.List[describedPolicy]
	truncation
}

// listPolicies lists the policies of AWS before the account's.
func (s *Service) listPolicies(v *visit, q *listPoliciesRequest) (any, error) {
	v.c.Record.Parameters = &parameters{
		Scope: q.Scope, PathPrefix: q.PathPrefix, OnlyAttached: q.OnlyAttached, Marker: q.Marker, MaxItems: q.MaxItems,
	}
	if err := s.permit(v, v.arn("policy", "/", "")); err != nil {
		return nil, err
	}
	out := &listPoliciesResponse{}
	ofAccount, err := s.listManaged(v, q, out)
	if err != nil || !ofAccount || q.Scope == "AWS" {
		return out, err
	}
	var failed error
	err = list(v, state.Policies, q.page, &out.truncation, func(p *state.Policy) bool {
		described, err := s.describePolicy(v, p)
		failed = errors.Join(failed, err)
		return out.take(q, described)
	})
	return out, errors.Join(err, failed)
}

// ofAWS marks a policy of AWS in markers: no name of a policy has the character.
const ofAWS = "/"

// listManaged lists the policies of AWS that the page has. more says that it
// leaves the page's rest, which is q.page then, to the account's own.
func (s *Service) listManaged(v *visit, q *listPoliciesRequest, out *listPoliciesResponse) (more bool, err error) {
	last, err := q.page.last()
	if err != nil || q.Scope == "Local" || last != "" && !strings.HasPrefix(last, ofAWS) {
		return err == nil, err
	}
	for _, m := range managed.All() {
		if ofAWS+m.Name <= last {
			continue
		}
		if out.full(q.page, len(out.Policies), last) {
			return false, nil
		}
		described, err := s.describeManaged(v, m)
		if err != nil {
			return false, err
		}
		out.take(q, described)
		last = ofAWS + m.Name
	}
	if q.Scope != "AWS" && out.full(q.page, len(out.Policies), last) {
		return false, nil
	}
	q.page = page{MaxItems: q.page.limit() - len(out.Policies)}
	return true, nil
}

// take adds a policy that the request wants.
func (out *listPoliciesResponse) take(q *listPoliciesRequest, p describedPolicy) bool {
	if !q.wants(p) {
		return false
	}
	out.Policies = append(out.Policies, p)
	return true
}

func (q *listPoliciesRequest) wants(p describedPolicy) bool {
	switch {
	case !strings.HasPrefix(p.Path, q.PathPrefix):
		return false
	case q.Usage == "PermissionsBoundary":
		return p.PermissionsBoundaryUsageCount > 0
	case q.OnlyAttached:
		return p.AttachmentCount+p.PermissionsBoundaryUsageCount > 0
	case q.Usage == "PermissionsPolicy":
		return p.AttachmentCount > 0
	}
	return true
}

// deletePolicy deletes a policy that nobody has, with its only version.
func (s *Service) deletePolicy(v *visit, q *policyRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN}
	p, err := s.ownPolicy(v, q.ARN)
	if err != nil {
		return nil, err
	}
	if has, err := hasAny(state.AttachedTo)(v, p.ARN()); err != nil || has {
		return nil, either(err, failure(409, "DeleteConflict", "Cannot delete a policy attached to entities."))
	}
	if n, err := s.boundaryCount(v, p.ARN()); err != nil || n > 0 {
		return nil, either(err, failure(409, "DeleteConflict", "Cannot delete a policy that is a permissions boundary of entities."))
	}
	name, versions := strings.ToLower(p.Name), 0
	if err := each(v, state.PolicyVersions, name, func(number string, _ *state.PolicyVersion) error {
		versions++
		state.PolicyVersions.Delete(v.tx, v.account, name, number)
		return nil
	}); err != nil || versions > 1 {
		return nil, either(err, failure(409, "DeleteConflict", "This policy has more than one version. Before you delete a policy, "+
			"you must delete the policy's versions. The default version is deleted with the policy."))
	}
	state.Policies.Delete(v.tx, v.account, name)
	return nil, v.changed()
}
