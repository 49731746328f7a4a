package kms

import (
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// grantee is an id by which grants recognize a caller, and what naming it means.
type grantee struct {
	id    string
	reach policy.Reach
}

// grantees are the ids by which grants recognize a caller: its own, that of the
// role of a session, and that of its account.
func grantees(p *call.Principal) []grantee {
	if p.Service != nil {
		return []grantee{{p.Service.Name, policy.ByName}}
	}
	if p.PrincipalID == "" || p.PrincipalID == p.AccountID { // the account's root user
		return []grantee{{p.AccountID, policy.ByName}}
	}
	list := []grantee{{p.PrincipalID, policy.ByName}}
	if p.Session != nil && p.Session.Issuer.ID != p.PrincipalID {
		list = append(list, grantee{p.Session.Issuer.ID, policy.ByIssuer})
	}
	return append(list, grantee{p.AccountID, policy.ByAccount})
}

// grantReach answers how the grants of a key that allow an access name the
// caller.
func grantReach(tx *fsm.Txn, ref reference, p *call.Principal, a *access) (policy.Reach, error) {
	for _, g := range grantees(p) {
		if _, ok, err := grantsAllow(tx, ref, []string{g.id}, *a); err != nil || ok {
			return g.reach, err
		}
	}
	return policy.Unnamed, nil
}

// grantsAllow decides whether a grant of the key allows an access to one of the
// principals, and answers the grant's id. It reads the Grantee records of those
// principals and of this key through the transaction and nothing else, so that
// the answer, either way, stands only while they are as they were: a grant that
// is revoked stops working at once, and a change to anybody else's grants is in
// nobody's way. How many grants the key has does not matter.
//
// The key may be one that does not exist: it then has no grants.
func grantsAllow(tx *fsm.Txn, ref reference, principals []string, a access) (grantID string, ok bool, err error) {
	for _, principal := range principals {
		grantee, err := granteeOf(tx, ref, principal)
		if err != nil {
			return "", false, err
		}
		if grantee == nil {
			continue
		}
		for _, slot := range a.slots() {
			if grantID, err = a.find(tx.View(), ref, principal, slot); err != nil || grantID != "" {
				return grantID, grantID != "", err
			}
		}
	}
	return "", false, nil
}

// granteeOf reads, through the transaction, what changes with the grants of a key
// and a principal.
func granteeOf(tx *fsm.Txn, ref reference, principal string) (*state.Grantee, error) {
	if plantedGrants {
		grantee, _, err := state.Grantees.Peek(tx.View(), ref.account, ref.region, ref.id, principal)
		return grantee, err
	}
	return state.Grantees.Get(tx, ref.account, ref.region, ref.id, principal)
}

// find answers the first grant of a slot that allows the access, "" where none
// does.
func (a *access) find(view fsm.View, ref reference, principal, slot string) (grantID string, err error) {
	prefix := []string{ref.account, ref.region, ref.id, principal, a.action, slot}
	err = state.GranteeGrants.Scan(view, prefix, nil, func(id []string, _ *state.GranteeGrant) (bool, error) {
		g, _, err := state.Grants.Peek(view, ref.account, ref.region, ref.id, id[len(id)-1])
		if err != nil || g == nil { // absent: removed meanwhile, and the commit conflicts
			return err == nil, err
		}
		if a.allowedBy(g) {
			grantID = g.ID
		}
		return grantID == "", nil
	})
	return grantID, err
}

// slots are where grants can be that allow the access.
func (a *access) slots() []string {
	if unconstrained(a.action) && a.source == "" {
		return []string{slotFree}
	}
	slots := []string{slotFree}
	if a.source != "" {
		slots = append(slots, slotSource(a.source))
	}
	whole, pairs := folded(toPairs(a.context)), []state.Pair(nil)
	if a.grant != nil { // a delegation: what the new grant will demand of contexts
		whole, pairs = folded(a.grant.Equals), folded(a.grant.Subset)
	}
	if len(whole) > 0 {
		slots = append(slots, slotEquals(whole))
	}
	for _, p := range slices.Concat(whole, pairs) {
		slots = append(slots, slotSubset(p))
	}
	return slots
}

// unconstrained says whether encryption context constraints are ignored for an
// operation ("Using grant constraints" in the KMS developer guide).
func unconstrained(operation string) bool {
	return operation == describeKey || operation == retireGrant
}

// allowedBy says whether a grant of the key and the caller allows the access.
func (a *access) allowedBy(g *state.Grant) bool {
	switch {
	case !slices.Contains(g.Operations, a.action) || g.SourceARN != "" && g.SourceARN != a.source:
		return false
	case unconstrained(a.action):
		return true
	case a.grant != nil:
		return delegates(g, a.grant)
	}
	context := folded(toPairs(a.context))
	return (g.Equals == nil || slices.Equal(context, folded(g.Equals))) && includes(context, folded(g.Subset))
}

// delegates says whether somebody whose right to CreateGrant is from the grant g
// may make the grant next: of the same operations or fewer, and under constraints
// as strict or stricter ("Granting CreateGrant permission" in the KMS developer
// guide). A subset may gain pairs or become an equality; an equality stays.
func delegates(g, next *state.Grant) bool {
	for _, operation := range next.Operations {
		if !slices.Contains(g.Operations, operation) {
			return false
		}
	}
	equals := folded(next.Equals)
	if g.Equals != nil && !slices.Equal(folded(g.Equals), equals) {
		return false
	}
	return includes(slices.Concat(equals, folded(next.Subset)), folded(g.Subset))
}
