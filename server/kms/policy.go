package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
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

// putKeyPolicy stores a key policy. Policies are not evaluated yet (authorize),
// so none can lock its author out, and the lockout safety check has nothing to
// find; the flag that skips it is recorded.
func (s *Service) putKeyPolicy(_ context.Context, tx *fsm.Txn, c *call.Call, req *putKeyPolicyRequest) (any, error) {
	c.Record.Parameters = &putKeyPolicyParameters{
		KeyID: req.KeyID, PolicyName: orDefaultPolicy(req.PolicyName), Policy: req.Policy,
		BypassPolicyLockoutSafetyCheck: req.BypassPolicyLockoutSafetyCheck,
	}
	if err := checkPolicy(req.Policy); err != nil {
		return nil, err
	}
	k, err := s.keyWithPolicy(tx, c, req.KeyID, req.PolicyName)
	if err != nil {
		return nil, err
	}
	if err := state.KeyPolicies.Put(tx, &state.KeyPolicy{Text: req.Policy}, k.AccountID, k.Region, k.ID); err != nil {
		return nil, err
	}
	changed(c, k)
	return nil, touch(tx, k.Key)
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
	k, err := s.keyWithPolicy(tx, c, req.KeyID, req.PolicyName)
	if err != nil {
		return nil, err
	}
	text := defaultPolicy(k.AccountID)
	policy, _, err := state.KeyPolicies.Peek(tx.View(), k.AccountID, k.Region, k.ID) // guarded by the key
	if err != nil {
		return nil, err
	}
	if policy != nil {
		text = policy.Text
	}
	return &getKeyPolicyResponse{Policy: text, PolicyName: policyName}, nil
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
func (s *Service) keyWithPolicy(tx *fsm.Txn, c *call.Call, text, name string) (key, error) {
	k, err := s.key(tx, c, text, byID)
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

// defaultPolicy is the key policy that AWS gives to keys created through its
// API, as AWS spaces it ("Default key policy" in the KMS developer guide). A key
// without a KeyPolicy record has it.
func defaultPolicy(accountID string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + accountID + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}
