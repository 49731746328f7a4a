package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// kind is a kind of identity, for the operations that all kinds have: the API
// has each of them once a kind.
type kind struct {
	word    string // "User", as operations and members spell it
	name    shape.String
	managed shape.String // its name in operations on managed policies, which the model bounds otherwise
	tagged  bool         // it has tags and a boundary, too
	inline  int          // characters of its inline policies together, without white space ("IAM and STS quotas")
	// find reads the identity that a request names, and decides.
	find func(s *Service, v *visit, name string) (*holder, error)
	// record puts the name into what is recorded.
	record func(p *parameters, name string)
}

// holder is an identity that has policies.
type holder struct {
	id       string
	boundary string
	tags     []state.Tag
	put      func(boundary string, tags []state.Tag) error
}

func userKind() *kind {
	return &kind{
		word: "User", name: existingUserNameType(), managed: userNameType(), tagged: true, inline: 2048,
		record: func(p *parameters, name string) { p.UserName = name },
		find: func(s *Service, v *visit, name string) (*holder, error) {
			u, err := s.user(v, name)
			if err != nil {
				return nil, err
			}
			return &holder{id: u.ID, boundary: u.Boundary, tags: u.Tags, put: func(boundary string, tags []state.Tag) error {
				next := *u
				next.Boundary, next.Tags = boundary, tags
				return errors.Join(state.Users.Put(v.tx, &next, v.account, strings.ToLower(u.Name)), v.changed())
			}}, nil
		},
	}
}

func groupKind() *kind {
	return &kind{
		word: "Group", name: groupNameType(), managed: groupNameType(), inline: 5120,
		record: func(p *parameters, name string) { p.GroupName = name },
		find: func(s *Service, v *visit, name string) (*holder, error) {
			g, err := s.group(v, name)
			if err != nil {
				return nil, err
			}
			return &holder{id: g.ID}, nil
		},
	}
}

func roleKind() *kind {
	return &kind{
		word: "Role", name: roleNameType(), managed: roleNameType(), tagged: true, inline: 10240,
		record: func(p *parameters, name string) { p.RoleName = name },
		find: func(s *Service, v *visit, name string) (*holder, error) {
			r, err := s.role(v, name)
			if err != nil {
				return nil, err
			}
			return &holder{id: r.ID, boundary: r.Boundary, tags: r.Tags, put: func(boundary string, tags []state.Tag) error {
				next := *r
				next.Boundary, next.Tags = boundary, tags
				return s.putRole(v, &next)
			}}, nil
		},
	}
}

// heldRequest is about a policy that an identity has, or all of them.
type heldRequest struct {
	Name       string // of the identity
	PolicyName string
	PolicyARN  string
	Document   string
	page
}

func (q *heldRequest) recorded(k *kind) *parameters {
	p := &parameters{
		PolicyName: q.PolicyName, PolicyARN: q.PolicyARN, PolicyDocument: q.Document, Marker: q.Marker, MaxItems: q.MaxItems,
	}
	k.record(p, q.Name)
	return p
}

func (k *kind) nameMember(of shape.String) shape.Member[heldRequest] {
	return shape.Text(k.word+"Name", of, func(q *heldRequest) *string { return &q.Name }).Required()
}

func policyNameMember() shape.Member[heldRequest] {
	return shape.Text("PolicyName", policyNameType(), func(q *heldRequest) *string { return &q.PolicyName }).Required()
}

func policyARNMember() shape.Member[heldRequest] {
	return shape.Text("PolicyArn", arnType(), func(q *heldRequest) *string { return &q.PolicyARN }).Required()
}

// held makes an operation about an identity of a kind.
func held(s *Service, k *kind, name string, readOnly bool, run func(v *visit, h *holder, q *heldRequest) (any, error),
	members ...shape.Member[heldRequest]) operation {
	return heldAs(s, k, k.name, name, readOnly, run, members...)
}

// heldAs is held where the identity's name has a shape of its own.
func heldAs(s *Service, k *kind, of shape.String, name string, readOnly bool, run func(v *visit, h *holder, q *heldRequest) (any, error),
	members ...shape.Member[heldRequest]) operation {
	members = append([]shape.Member[heldRequest]{k.nameMember(of)}, members...)
	return bind(s, name, readOnly, shape.Of(members...), func(v *visit, q *heldRequest) (any, error) {
		v.c.Record.Parameters = q.recorded(k)
		h, err := k.find(s, v, q.Name)
		if err != nil {
			return nil, err
		}
		return run(v, h, q)
	})
}

// inlineOperations are those of policies that live and die with their identity.
func (s *Service) inlineOperations(k *kind) []operation {
	document := shape.Text("PolicyDocument", policyDocumentType(), func(q *heldRequest) *string { return &q.Document }).Required()
	pages := pageShape(func(q *heldRequest) *page { return &q.page })
	return []operation{
		held(s, k, "Put"+k.word+"Policy", writes, putInline(k), policyNameMember(), document),
		held(s, k, "Get"+k.word+"Policy", reads, getInline(k), policyNameMember()),
		held(s, k, "Delete"+k.word+"Policy", writes, deleteInline(k), policyNameMember()),
		held(s, k, "List"+k.word+"Policies", reads, listInline, pages...),
	}
}

func putInline(k *kind) func(v *visit, h *holder, q *heldRequest) (any, error) {
	return func(v *visit, h *holder, q *heldRequest) (any, error) {
		if _, err := policy.Parse(policy.IdentityPolicy, q.Document); err != nil {
			return nil, unreadable(err)
		}
		total := size(q.Document)
		if err := each(v, state.InlinePolicies, h.id, func(name string, p *state.InlinePolicy) error {
			if name != q.PolicyName {
				total += size(p.Text)
			}
			return nil
		}); err != nil || total > k.inline {
			return nil, either(err, failure(409, "LimitExceeded", "Maximum policy size of %d bytes exceeded for %s %s",
				k.inline, strings.ToLower(k.word), q.Name))
		}
		return nil, errors.Join(
			state.InlinePolicies.Put(v.tx, &state.InlinePolicy{Name: q.PolicyName, Text: q.Document}, v.account, h.id, q.PolicyName),
			v.changed(),
		)
	}
}

// inline is an inline policy in an answer.
type inline struct {
	UserName       string `xml:",omitempty"`
	GroupName      string `xml:",omitempty"`
	RoleName       string `xml:",omitempty"`
	PolicyName     string
	PolicyDocument string
}

func inlineOf(v *visit, h *holder, k *kind, q *heldRequest) (*state.InlinePolicy, error) {
	p, _, err := state.InlinePolicies.Peek(v.tx.View(), v.account, h.id, q.PolicyName)
	if err != nil || p == nil {
		return nil, either(err, noSuchEntity("The %s policy with name %s cannot be found.", strings.ToLower(k.word), q.PolicyName))
	}
	return p, nil
}

func getInline(k *kind) func(v *visit, h *holder, q *heldRequest) (any, error) {
	return func(v *visit, h *holder, q *heldRequest) (any, error) {
		p, err := inlineOf(v, h, k, q)
		if err != nil {
			return nil, err
		}
		var names parameters
		k.record(&names, q.Name)
		return inline{
			UserName: names.UserName, GroupName: names.GroupName, RoleName: names.RoleName,
			PolicyName: p.Name, PolicyDocument: escaped(p.Text),
		}, nil
	}
}

func deleteInline(k *kind) func(v *visit, h *holder, q *heldRequest) (any, error) {
	return func(v *visit, h *holder, q *heldRequest) (any, error) {
		if _, err := inlineOf(v, h, k, q); err != nil {
			return nil, err
		}
		state.InlinePolicies.Delete(v.tx, v.account, h.id, q.PolicyName)
		return nil, v.changed()
	}
}

type policyNamesResponse struct {
	PolicyNames query.List[string]
	truncation
}

func listInline(v *visit, h *holder, q *heldRequest) (any, error) {
	out := &policyNamesResponse{}
	err := listUnder(v, state.InlinePolicies, []string{v.account, h.id}, q.page, &out.truncation,
		func(name string, _ *state.InlinePolicy) bool {
			out.PolicyNames = append(out.PolicyNames, name)
			return true
		})
	return out, err
}
