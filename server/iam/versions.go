package iam

import (
	"errors"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxVersions is the quota of versions of a managed policy.
const maxVersions = 5

func (s *Service) versionOperations() []operation {
	return []operation{
		bind(s, "CreatePolicyVersion", writes, createVersionShape(), s.createVersion),
		bind(s, "GetPolicyVersion", reads, versionShape(), s.getVersion),
		bind(s, "ListPolicyVersions", reads, listOfShape("PolicyArn", arnType()), s.listVersions),
		bind(s, "SetDefaultPolicyVersion", writes, versionShape(), s.setDefaultVersion),
		bind(s, "DeletePolicyVersion", writes, versionShape(), s.deleteVersion),
	}
}

type createVersionRequest struct {
	ARN, Document string
	SetAsDefault  bool
}

func createVersionShape() *shape.Struct[createVersionRequest] {
	type r = createVersionRequest
	return shape.Of(
		shape.Text("PolicyArn", arnType(), func(q *r) *string { return &q.ARN }).Required(),
		shape.Text("PolicyDocument", policyDocumentType(), func(q *r) *string { return &q.Document }).Required(),
		shape.Flag("SetAsDefault", func(q *r) *bool { return &q.SetAsDefault }),
	)
}

// version is a version of a policy in an answer.
type version struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       query.Time
}

type versionResponse struct{ PolicyVersion version }

func (s *Service) createVersion(v *visit, q *createVersionRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN, PolicyDocument: q.Document, SetAsDefault: q.SetAsDefault}
	p, err := s.ownPolicy(v, q.ARN)
	if err != nil {
		return nil, err
	}
	if err := s.checkDocument(q.Document); err != nil {
		return nil, err
	}
	n, name := 0, strings.ToLower(p.Name)
	if err := each(v, state.PolicyVersions, name, func(string, *state.PolicyVersion) error { n++; return nil }); err != nil {
		return nil, err
	}
	if n >= maxVersions {
		return nil, failure(409, "LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, "+
			"you must delete an existing version.", maxVersions)
	}
	next := *p
	number := p.Next
	next.Next++
	if q.SetAsDefault {
		next.Default, next.Updated = number, v.now()
	}
	made := version{VersionID: versionID(number), IsDefaultVersion: q.SetAsDefault, CreateDate: query.Time(v.now())}
	v.c.Record.Response = versionElements{recordedVersion{made.VersionID, made.IsDefaultVersion, calendar(v.now())}}
	return versionResponse{made}, errors.Join(
		state.PolicyVersions.Put(v.tx, &state.PolicyVersion{Text: q.Document, Created: v.now()}, v.account, name, versionKey(number)),
		s.putPolicy(v, &next),
	)
}

type versionRequest struct{ ARN, Version string }

func versionShape() *shape.Struct[versionRequest] {
	type r = versionRequest
	return shape.Of(
		shape.Text("PolicyArn", arnType(), func(q *r) *string { return &q.ARN }).Required(),
		shape.Text("VersionId", policyVersionIDType(), func(q *r) *string { return &q.Version }).Required(),
	)
}

// version reads the version that a request names.
func (s *Service) version(v *visit, p *state.Policy, id string) (int, *state.PolicyVersion, error) {
	missing := noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.ARN(), id)
	number, err := strconv.Atoi(id[1:])
	if err != nil {
		return 0, nil, missing
	}
	found, _, err := state.PolicyVersions.Peek(v.tx.View(), v.account, strings.ToLower(p.Name), versionKey(number))
	if err != nil || found == nil {
		return 0, nil, either(err, missing)
	}
	return number, found, nil
}

func (s *Service) getVersion(v *visit, q *versionRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN, VersionID: q.Version}
	if err := s.permit(v, q.ARN); err != nil {
		return nil, err
	}
	if m := managed.Find(q.ARN); m != nil && q.Version == "v1" {
		return versionResponse{version{
			Document: escaped(m.Text), VersionID: "v1", IsDefaultVersion: true, CreateDate: query.Time(m.Created),
		}}, nil
	}
	p, err := s.policyAt(v, q.ARN)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, noSuchEntity("Policy %s version %s does not exist or is not attachable.", q.ARN, q.Version)
	}
	number, found, err := s.version(v, p, q.Version)
	if err != nil {
		return nil, err
	}
	return versionResponse{version{
		Document: escaped(found.Text), VersionID: q.Version, IsDefaultVersion: number == p.Default, CreateDate: query.Time(found.Created),
	}}, nil
}

type listVersionsResponse struct {
	Versions query.List[version]
	truncation
}

func (s *Service) listVersions(v *visit, q *listOfRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.Name, Marker: q.Marker, MaxItems: q.MaxItems}
	if err := s.permit(v, q.Name); err != nil {
		return nil, err
	}
	out := &listVersionsResponse{}
	if m := managed.Find(q.Name); m != nil {
		out.Versions = append(out.Versions, version{VersionID: "v1", IsDefaultVersion: true, CreateDate: query.Time(m.Created)})
		return out, nil
	}
	p, err := s.policyAt(v, q.Name)
	if err != nil {
		return nil, err
	}
	prefix := []string{v.account, strings.ToLower(p.Name)}
	err = listUnder(v, state.PolicyVersions, prefix, q.page, &out.truncation, func(key string, found *state.PolicyVersion) bool {
		number, _ := strconv.Atoi(key) // versionKey wrote it
		out.Versions = append(out.Versions, version{
			VersionID: versionID(number), IsDefaultVersion: number == p.Default, CreateDate: query.Time(found.Created),
		})
		return true
	})
	return out, err
}

func (s *Service) setDefaultVersion(v *visit, q *versionRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN, VersionID: q.Version}
	p, err := s.ownPolicy(v, q.ARN)
	if err != nil {
		return nil, err
	}
	next := *p
	if next.Default, _, err = s.version(v, p, q.Version); err != nil {
		return nil, err
	}
	next.Updated = v.now()
	return nil, s.putPolicy(v, &next)
}

func (s *Service) deleteVersion(v *visit, q *versionRequest) (any, error) {
	v.c.Record.Parameters = &parameters{PolicyARN: q.ARN, VersionID: q.Version}
	p, err := s.ownPolicy(v, q.ARN)
	if err != nil {
		return nil, err
	}
	number, _, err := s.version(v, p, q.Version)
	if err != nil {
		return nil, err
	}
	if number == p.Default {
		return nil, failure(409, "DeleteConflict", "Cannot delete the default version of a policy.")
	}
	state.PolicyVersions.Delete(v.tx, v.account, strings.ToLower(p.Name), versionKey(number))
	return nil, v.changed()
}
