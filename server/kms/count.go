package kms

import (
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// errTaken is a failure: a random id that is in use already.
func errTaken(what, id string) error { return fmt.Errorf("the random %s id %s is taken", what, id) }

// addToCount changes one part of a number by a guarded read, so that the number
// is exact. Two who change the same part conflict.
func addToCount(tx *fsm.Txn, table fsm.Table[state.Count], by int64, part ...string) error {
	count, err := table.Get(tx, part...)
	if err != nil {
		return err
	}
	return putCount(tx, table, count, by, part)
}

func putCount(tx *fsm.Txn, table fsm.Table[state.Count], count *state.Count, by int64, part []string) error {
	next := state.Count{N: by}
	if count != nil {
		next.N += count.N
	}
	if next.N == 0 {
		table.Delete(tx, part...)
		return nil
	}
	return table.Put(tx, &next, part...)
}

// total is the sum of all parts of a number, without guard.
func total(view fsm.View, table fsm.Table[state.Count], of ...string) (sum int64, err error) {
	err = table.Scan(view, of, nil, func(_ []string, c *state.Count) (bool, error) {
		sum += c.N
		return true, nil
	})
	return sum, err
}

// hexDigits are the parts of a number whose ids are spread by one hex digit.
const hexDigits = "0123456789abcdef"

// nearQuota is how far from the quota the number of grants stops being read
// without guard. So many grants are not made between a look at the state and a
// commit, so the quota is exact; and only those who are that near it conflict.
const nearQuota = 1000

// checkGrantQuota refuses one more grant of a key that has as many as it can.
func checkGrantQuota(tx *fsm.Txn, k key) error {
	of := []string{k.AccountID, k.Region, k.ID}
	sum, err := total(tx.View(), state.GrantCounts, of...)
	if err != nil || sum < maxGrants-nearQuota {
		return err
	}
	sum = 0
	for i := range hexDigits {
		part, err := state.GrantCounts.Get(tx, append(of[:3:3], hexDigits[i:i+1])...)
		if err != nil {
			return err
		}
		if part != nil {
			sum += part.N
		}
	}
	if sum >= maxGrants {
		return limitExceeded("A KMS key cannot have more than %d grants.", maxGrants)
	}
	return nil
}
