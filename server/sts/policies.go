package sts

import (
	"errors"
	"net/http"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// What a session may bring ("IAM and STS character limits", IAM user guide). The
// plain text is bounded as AWS bounds it; AWS bounds the packed text, too, which
// here is the length of all policies together.
const (
	maxPolicyARNs    = 10
	maxSessionPolicy = 2048
	maxPacked        = 6144
)

// sessionPolicies answers the texts of the policies that bound a session, and how
// much of what a session may bring they take, in per cent. Managed policies count
// as they are now.
func (s *Service) sessionPolicies(tx *fsm.Txn, role *state.Role, inline string, arns []policyARN) (texts []string, packed int, err error) {
	if len(arns) > maxPolicyARNs {
		return nil, 0, invalid("1 validation error detected: The number of policy ARNs must not exceed %d.", maxPolicyARNs)
	}
	if len(inline) > maxSessionPolicy {
		return nil, 0, invalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", maxSessionPolicy)
	}
	if inline != "" {
		if _, err := policy.Parse(policy.SessionPolicy, inline); err != nil {
			return nil, 0, unreadable(err)
		}
		texts = append(texts, inline)
	}
	total := len(inline)
	for _, a := range arns {
		text, err := s.cfg.Access.Managed(tx.View(), role.AccountID, a.ARN)
		if err != nil {
			return nil, 0, err
		}
		if text == "" {
			return nil, 0, failure(http.StatusNotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", a.ARN)
		}
		texts = append(texts, text)
		total += len(text)
	}
	packed = (total*100 + maxPacked - 1) / maxPacked
	if packed > 100 {
		return nil, 0, failure(http.StatusBadRequest, "PackedPolicyTooLarge", "Serialized token too large for session: %d%% of what is allowed.", packed)
	}
	return texts, packed, nil
}

func unreadable(err error) error {
	if wrong := (*policy.SyntaxError)(nil); errors.As(err, &wrong) {
		return failure(http.StatusBadRequest, "MalformedPolicyDocument", "%s", wrong.Message)
	}
	return err
}

// trust answers a role's trust policy, with the principals that it meant when it
// was written.
func trust(role *state.Role) (*policy.Document, error) {
	document, err := policy.Parse(policy.TrustPolicy, role.Trust)
	if err != nil {
		return nil, err
	}
	return document.Bind(role.TrustIDs), nil
}

// mayAssume decides by the role's trust policy and the caller's own, which have
// to agree across accounts. Tags and a source identity are actions of their own,
// also where a session only hands them on ("Pass session tags" and "Monitor and
// control actions taken with assumed roles", IAM user guide).
func (s *Service) mayAssume(tx *fsm.Txn, c *call.Call, role *state.Role, q *assumeRoleRequest) error {
	document, err := trust(role)
	if err != nil {
		return err
	}
	actions := []string{"sts:AssumeRole"}
	from := c.Principal.Session
	if len(q.Tags) > 0 || from != nil && len(from.Transitive) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if q.SourceIdentity != "" || from != nil && from.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if err := s.cfg.Access.PermitBy(tx, c, action, role.ARN(), role.AccountID, document, q.get); err != nil {
			return err
		}
	}
	return nil
}

// get answers the condition keys of a request ("Actions, resources, and condition
// keys for AWS STS", service authorization reference).
func (q *assumeRoleRequest) get(key string) []string {
	switch key {
	case "sts:externalid":
		return one(q.ExternalID)
	case "sts:rolesessionname":
		return one(q.SessionName)
	case "sts:sourceidentity":
		return one(q.SourceIdentity)
	case "sts:transitivetagkeys":
		return q.Transitive
	}
	return requestTag(q.Tags, key)
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
