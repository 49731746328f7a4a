package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxAttached is the quota of managed policies of an identity.
const maxAttached = 20

// attachmentOperations are those of managed policies that an identity has.
func (s *Service) attachmentOperations(k *kind) []operation {
	pages := pageShape(func(q *heldRequest) *page { return &q.page })
	return []operation{
		heldAs(s, k, k.managed, "Attach"+k.word+"Policy", writes, s.attach(k), policyARNMember()),
		heldAs(s, k, k.managed, "Detach"+k.word+"Policy", writes, s.detach, policyARNMember()),
		heldAs(s, k, k.managed, "ListAttached"+k.word+"Policies", reads, s.listAttached, append(pages,
			shape.Text("PathPrefix", policyPathType(), func(q *heldRequest) *string { return &q.PolicyName }))...),
	}
}

func (s *Service) attach(k *kind) func(v *visit, h *holder, q *heldRequest) (any, error) {
	return func(v *visit, h *holder, q *heldRequest) (any, error) {
		if _, err := s.policyAt(v, q.PolicyARN); err != nil {
			return nil, err
		}
		n := 0
		if err := each(v, state.Attachments, h.id, func(arn string, _ *state.Attachment) error {
			if arn != q.PolicyARN {
				n++
			}
			return nil
		}); err != nil || n >= maxAttached {
			return nil, either(err, limitExceeded("PoliciesPer"+k.word, maxAttached))
		}
		return nil, errors.Join(
			state.Attachments.Put(v.tx, &state.Attachment{ARN: q.PolicyARN}, v.account, h.id, q.PolicyARN),
			state.AttachedTo.Put(v.tx, &state.Attached{}, v.account, q.PolicyARN, h.id),
			v.changed(),
		)
	}
}

func (s *Service) detach(v *visit, h *holder, q *heldRequest) (any, error) {
	old, _, err := state.Attachments.Peek(v.tx.View(), v.account, h.id, q.PolicyARN)
	if err != nil || old == nil {
		return nil, either(err, noSuchEntity("Policy %s was not found.", q.PolicyARN))
	}
	state.Attachments.Delete(v.tx, v.account, h.id, q.PolicyARN)
	state.AttachedTo.Delete(v.tx, v.account, q.PolicyARN, h.id)
	return nil, v.changed()
}

type attachedPolicy struct {
	PolicyName string
	PolicyARN  string `xml:"PolicyArn"`
}

type attachedPoliciesResponse struct {
	AttachedPolicies query.List[attachedPolicy]
	truncation
}

func (s *Service) listAttached(v *visit, h *holder, q *heldRequest) (any, error) {
	out := &attachedPoliciesResponse{}
	err := listUnder(v, state.Attachments, []string{v.account, h.id}, q.page, &out.truncation,
		func(arn string, _ *state.Attachment) bool {
			_, resource, _ := strings.Cut(arn, ":policy")
			at := strings.LastIndexByte(resource, '/')
			if !strings.HasPrefix(resource[:at+1], q.PolicyName) {
				return false
			}
			out.AttachedPolicies = append(out.AttachedPolicies, attachedPolicy{PolicyName: resource[at+1:], PolicyARN: arn})
			return true
		})
	return out, err
}

// boundaryOperations are those of the policy that bounds what the others allow.
func (s *Service) boundaryOperations(k *kind) []operation {
	arn := shape.Text("PermissionsBoundary", arnType(), func(q *heldRequest) *string { return &q.PolicyARN }).Required()
	return []operation{
		heldAs(s, k, k.managed, "Put"+k.word+"PermissionsBoundary", writes, func(v *visit, h *holder, q *heldRequest) (any, error) {
			if err := s.checkBoundary(v, q.PolicyARN); err != nil {
				return nil, err
			}
			return nil, h.put(q.PolicyARN, h.tags)
		}, arn),
		heldAs(s, k, k.managed, "Delete"+k.word+"PermissionsBoundary", writes, func(_ *visit, h *holder, q *heldRequest) (any, error) {
			if h.boundary == "" {
				return nil, noSuchEntity("%s does not have a permissions boundary.", q.Name)
			}
			return nil, h.put("", h.tags)
		}),
	}
}

// checkBoundary refuses a boundary that is no policy; "" is none.
func (s *Service) checkBoundary(v *visit, arn string) error {
	if arn == "" {
		return nil
	}
	_, err := s.policyAt(v, arn)
	return err
}
