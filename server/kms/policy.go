package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// policyName is the only name that a key policy can have.
const policyName = "default"

type putKeyPolicyRequest struct {
	KeyID                          string
	PolicyName                     string
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
}

func putKeyPolicyShape() *shape.Struct[putKeyPolicyRequest] {
	type r = putKeyPolicyRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("PolicyName", policyNameType(), func(q *r) *string { return &q.PolicyName }),
		shape.Text("Policy", policyType(), func(q *r) *string { return &q.Policy }).Required(),
		shape.Flag("BypassPolicyLockoutSafetyCheck", func(q *r) *bool { return &q.BypassPolicyLockoutSafetyCheck }),
	)
}

type putKeyPolicyParameters struct {
	KeyID                          string `json:"keyId"`
	PolicyName                     string `json:"policyName"`
	Policy                         string `json:"policy"`
	BypassPolicyLockoutSafetyCheck bool   `json:"bypassPolicyLockoutSafetyCheck"`
}

// putKeyPolicy works at once and everywhere: whoever uses the key later has read
// the key, which it touches, and so is decided by the new policy, or conflicts.
func (s *Service) putKeyPolicy(_ context.Context, tx *fsm.Txn, c *call.Call, req *putKeyPolicyRequest) (any, error) {
	c.Record.Parameters = &putKeyPolicyParameters{
		KeyID: req.KeyID, PolicyName: orDefaultPolicy(req.PolicyName), Policy: req.Policy,
		BypassPolicyLockoutSafetyCheck: req.BypassPolicyLockoutSafetyCheck,
	}
	if _, err := parsePolicy(req.Policy); err != nil {
		return nil, err
	}
	wanted := access{action: c.Operation, more: bypassing(req.BypassPolicyLockoutSafetyCheck)}
	k, err := s.keyWithPolicy(tx, c, wanted, req.KeyID, req.PolicyName)
	if err != nil {
		return nil, err
	}
	next, err := s.newPolicy(tx, c, k.Key, req.Policy, req.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	if err := state.KeyPolicies.Put(tx, next, k.AccountID, k.Region, k.ID); err != nil {
		return nil, err
	}
	changed(c, k)
	if plantedPolicy {
		return nil, nil
	}
	return nil, touch(tx, k.Key)
}

// bypassing is the condition key of requests that bypass the lockout safety
// check. It is absent from others.
func bypassing(bypass bool) conditionValues {
	values := conditionValues{}
	if bypass {
		values["kms:bypasspolicylockoutsafetycheck"] = []string{"true"}
	}
	return values
}

type getKeyPolicyRequest struct{ KeyID, PolicyName string }

func getKeyPolicyShape() *shape.Struct[getKeyPolicyRequest] {
	type r = getKeyPolicyRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("PolicyName", policyNameType(), func(q *r) *string { return &q.PolicyName }),
	)
}

type getKeyPolicyParameters struct {
	KeyID      string `json:"keyId"`
	PolicyName string `json:"policyName"`
}

type getKeyPolicyResponse struct{ Policy, PolicyName string }

func (s *Service) getKeyPolicy(_ context.Context, tx *fsm.Txn, c *call.Call, req *getKeyPolicyRequest) (*getKeyPolicyResponse, error) {
	c.Record.Parameters = &getKeyPolicyParameters{KeyID: req.KeyID, PolicyName: orDefaultPolicy(req.PolicyName)}
	k, err := s.keyWithPolicy(tx, c, to(c), req.KeyID, req.PolicyName)
	if err != nil {
		return nil, err
	}
	stored, _, err := state.KeyPolicies.Peek(tx.View(), k.AccountID, k.Region, k.ID) // guarded by the key
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return &getKeyPolicyResponse{Policy: authz.UsualKeyPolicy(k.Key), PolicyName: policyName}, nil
	}
	text, err := authz.Shown(tx, stored.Text, stored.IDs)
	return &getKeyPolicyResponse{Policy: text, PolicyName: policyName}, err
}

type listKeyPoliciesResponse struct {
	PolicyNames []string
	truncation
}

// listKeyPolicies answers the one name that there is. No page of it is ever
// truncated, so no marker is valid.
func (s *Service) listKeyPolicies(_ context.Context, tx *fsm.Txn, c *call.Call, req *listRequest) (*listKeyPoliciesResponse, error) {
	c.Record.Parameters = req.recorded()
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if _, err := newPage("policies "+k.ID, req.Limit, 100, 1000, req.Marker, func(string) bool { return false }); err != nil {
		return nil, err
	}
	return &listKeyPoliciesResponse{PolicyNames: []string{policyName}}, nil
}

// keyWithPolicy is key, and refuses names of policies that it does not have.
func (s *Service) keyWithPolicy(tx *fsm.Txn, c *call.Call, a access, text, name string) (key, error) {
	k, err := s.keyFor(tx, c, a, text, byID)
	if err == nil && orDefaultPolicy(name) != policyName {
		return k, notFound("No such policy exists")
	}
	return k, err
}

func orDefaultPolicy(name string) string {
	if name == "" {
		return policyName
	}
	return name
}
