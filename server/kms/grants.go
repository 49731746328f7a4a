package kms

import (
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// maxGrants is how many grants a key can have ("Resource quotas" in the KMS
// developer guide).
const maxGrants = 50_000

// addGrant writes a grant and all that leads to it. It reads that its id is free.
func addGrant(tx *fsm.Txn, g *state.Grant) error {
	taken, err := state.Grants.Get(tx, g.AccountID, g.Region, g.KeyID, g.ID)
	if err != nil {
		return err
	}
	if taken != nil {
		return errTaken("grant", g.ID)
	}
	if g.Slot, err = slotOf(tx.View(), g); err != nil {
		return err
	}
	if err := state.Grants.Put(tx, g, g.AccountID, g.Region, g.KeyID, g.ID); err != nil {
		return err
	}
	for _, entry := range entries(g) {
		if err := state.GranteeGrants.Put(tx, &state.GranteeGrant{}, entry...); err != nil {
			return err
		}
	}
	if g.Retiring != nil {
		if err := state.RetirableGrants.Put(tx, &state.RetirableGrant{}, retirable(g)...); err != nil {
			return err
		}
	}
	if g.Twin != "" {
		err := state.GrantTwins.Put(tx, &state.GrantTwin{GrantID: g.ID}, g.AccountID, g.Region, g.KeyID, g.Twin)
		if err != nil {
			return err
		}
	}
	return countGrant(tx, g, 1)
}

// removeGrant is the opposite of addGrant. What the grant allowed is over at the
// instant at which the transaction commits.
func removeGrant(tx *fsm.Txn, g *state.Grant) error {
	state.Grants.Delete(tx, g.AccountID, g.Region, g.KeyID, g.ID)
	for _, entry := range entries(g) {
		state.GranteeGrants.Delete(tx, entry...)
	}
	if g.Retiring != nil {
		state.RetirableGrants.Delete(tx, retirable(g)...)
	}
	if g.Twin != "" {
		state.GrantTwins.Delete(tx, g.AccountID, g.Region, g.KeyID, g.Twin)
	}
	return countGrant(tx, g, -1)
}

// countGrant writes the records that guard and count: that of the grantee, which
// everybody reads who decides by its grants, and a sixteenth of the key's number.
func countGrant(tx *fsm.Txn, g *state.Grant, by int64) error {
	id := []string{g.AccountID, g.Region, g.KeyID, g.Grantee.ID}
	grantee, err := state.Grantees.Get(tx, id...)
	if err != nil {
		return err
	}
	next := state.Grantee{Grants: by}
	if grantee != nil {
		next.Grants += grantee.Grants
	}
	if next.Grants > 0 {
		err = state.Grantees.Put(tx, &next, id...)
	} else {
		state.Grantees.Delete(tx, id...)
	}
	if err != nil {
		return err
	}
	return addToCount(tx, state.GrantCounts, by, g.AccountID, g.Region, g.KeyID, g.ID[:1])
}

// entries are the identifiers of a grant in GranteeGrants.
func entries(g *state.Grant) [][]string {
	entry := func(operation, slot string) []string {
		return []string{g.AccountID, g.Region, g.KeyID, g.Grantee.ID, operation, slot, g.ID}
	}
	list := [][]string{entry(anyOperation, slotList)}
	for _, operation := range g.Operations {
		switch {
		case operation == retireGrant: // concerns this grant alone: nobody looks for it
		case unconstrained(operation) && g.SourceARN == "":
			list = append(list, entry(operation, slotFree))
		default:
			list = append(list, entry(operation, g.Slot))
		}
	}
	return list
}

// retirable is the identifier of a grant in RetirableGrants.
func retirable(g *state.Grant) []string {
	return []string{g.Retiring.ID, g.Region, g.AccountID, g.KeyID, g.ID}
}

// slotOf chooses the slot of a new grant. Of the pairs of a subset it takes the
// one that the fewest grants of the grantee stand under, so that a pair that all
// of them have does not make one long list of them.
func slotOf(view fsm.View, g *state.Grant) (string, error) {
	switch {
	case g.SourceARN != "":
		return slotSource(g.SourceARN), nil
	case g.Equals != nil:
		return slotEquals(folded(g.Equals)), nil
	}
	counted := slices.IndexFunc(g.Operations, func(operation string) bool { return !unconstrained(operation) })
	if g.Subset == nil || counted < 0 {
		return slotFree, nil
	}
	best, fewest := "", maxCrowd+1
	for _, p := range folded(g.Subset) {
		slot, crowd := slotSubset(p), 0
		prefix := []string{g.AccountID, g.Region, g.KeyID, g.Grantee.ID, g.Operations[counted], slot}
		err := state.GranteeGrants.Scan(view, prefix, nil, func([]string, *state.GranteeGrant) (bool, error) {
			crowd++
			return crowd < fewest, nil
		})
		if err != nil {
			return "", err
		}
		if crowd < fewest {
			best, fewest = slot, crowd
		}
	}
	return best, nil
}

// maxCrowd bounds how far slotOf counts.
const maxCrowd = 256
