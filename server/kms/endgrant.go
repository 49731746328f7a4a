package kms

import (
	"context"
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type revokeGrantRequest struct {
	KeyID, GrantID string
	DryRun         bool
}

func revokeGrantShape() *shape.Struct[revokeGrantRequest] {
	type r = revokeGrantRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("GrantId", grantIDType(), func(q *r) *string { return &q.GrantID }).Required(),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
	)
}

type revokeGrantParameters struct {
	KeyID   string `json:"keyId"`
	GrantID string `json:"grantId"`
	DryRun  bool   `json:"dryRun,omitempty"`
}

// revokeGrant works at once and everywhere, like DisableKey: whoever was allowed
// by the grant has read the Grantee record that it writes.
func (s *Service) revokeGrant(_ context.Context, tx *fsm.Txn, c *call.Call, req *revokeGrantRequest) (any, error) {
	c.Record.Parameters = &revokeGrantParameters{KeyID: req.KeyID, GrantID: req.GrantID, DryRun: req.DryRun}
	k, err := s.keyFor(tx, c, with(c, "kms:grantisforawsresource", forAWSResource(c)), req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	g, err := state.Grants.Get(tx, k.AccountID, k.Region, k.ID, req.GrantID)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, grantNotFound(req.GrantID)
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	changed(c, k)
	return nil, removeGrant(tx, g)
}

type retireGrantRequest struct {
	GrantToken, KeyID, GrantID string
	DryRun                     bool
}

func retireGrantShape() *shape.Struct[retireGrantRequest] {
	type r = retireGrantRequest
	return shape.Of(
		shape.Text("GrantToken", grantTokenType(), func(q *r) *string { return &q.GrantToken }),
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }),
		shape.Text("GrantId", grantIDType(), func(q *r) *string { return &q.GrantID }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
	)
}

// retireGrantData is the additionalEventData of RetireGrant, which records no
// parameters ("RetireGrant" among the log entry examples of the KMS developer
// guide).
type retireGrantData struct {
	GrantID string `json:"grantId"`
}

// retireGrant is for those whom the grant itself names. It works at once and
// everywhere, as revokeGrant does.
func (s *Service) retireGrant(_ context.Context, tx *fsm.Txn, c *call.Call, req *retireGrantRequest) (any, error) {
	ref, grantID, err := req.names(c)
	if err != nil {
		return nil, err
	}
	c.Record.Additional = &retireGrantData{GrantID: grantID}
	g, err := state.Grants.Get(tx, ref.account, ref.region, ref.id, grantID)
	if err != nil {
		return nil, err
	}
	if err := s.authorizeRetirement(tx, c, ref, g); err != nil {
		return nil, err
	}
	found, err := state.Keys.Get(tx, ref.account, ref.region, ref.id)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, notFound("Key '%s' does not exist", ref.keyARN())
	}
	k, err := used(tx, c, found)
	if err != nil {
		return nil, err
	}
	if err := s.states.check(c.Operation, k); err != nil {
		return nil, err
	}
	if g == nil {
		return nil, grantNotFound(grantID)
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	changed(c, k)
	return nil, removeGrant(tx, g)
}

// names reads which grant is meant: by its token, or by its id and its key.
func (q *retireGrantRequest) names(c *call.Call) (ref reference, grantID string, err error) {
	name, grantID := q.KeyID, q.GrantID
	switch {
	case q.GrantToken != "" && name == "" && grantID == "":
		if name, grantID, err = parseToken(q.GrantToken); err != nil {
			return ref, "", err
		}
	case q.GrantToken != "" || name == "" || grantID == "":
		return ref, "", invalid("Grant token OR (grant ID, key ID) must be specified")
	}
	ref, err = parseReference(c, name)
	if err == nil && ref.alias != "" {
		err = notFound("Invalid keyId '%s'", name)
	}
	return ref, grantID, err
}

// authorizeRetirement refuses a caller who may not retire a grant, nil being one
// that does not exist. The key's policy has no say ("Retiring and revoking
// grants" in the KMS developer guide); a denial by the caller's own policies has.
func (s *Service) authorizeRetirement(tx *fsm.Txn, c *call.Call, ref reference, g *state.Grant) error {
	caller, err := s.authz.Caller(tx, &c.Principal)
	if err != nil {
		return err
	}
	keys := &conditions{call: c, caller: caller, view: tx.View(), access: &access{action: retireGrant}}
	r := &policy.Request{Action: "kms:" + retireGrant, Resource: ref.keyARN(), Account: ref.account, Context: keys}
	reach := func() policy.Reach { return retireReach(&c.Principal, ref, g) }
	return refusal(caller.Decide(r, new(policy.Document), reach), r)
}

// retireReach says who may retire a grant: its retiring principal, and its grantee
// where it allows RetireGrant. The accounts that own the key and that made the
// grant may let their principals do it.
func retireReach(p *call.Principal, ref reference, g *state.Grant) policy.Reach {
	reach := policy.Unnamed
	if p.AccountID == ref.account || g != nil && p.AccountID == g.IssuingAccount {
		reach = policy.ByAccount
	}
	if g == nil {
		return reach
	}
	for _, named := range grantees(p) {
		if g.Retiring != nil && g.Retiring.ID == named.id || g.Grantee.ID == named.id && slices.Contains(g.Operations, retireGrant) {
			reach = max(reach, named.reach)
		}
	}
	return reach
}
