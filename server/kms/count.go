package kms

import (
	"cmp"
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

// usualMaxKeys is how many keys an account can have in a Region ("Resource quotas"
// in the KMS developer guide).
const usualMaxKeys = 100_000

// countKey counts a key that is about to be made, and refuses it where its account
// has as many in the Region as it can. Who makes a key has to call it.
//
// The number is kept in 256 parts that are written without guard, so that
// creations never conflict: of two that write the same part in the same batch one
// is lost. It is therefore not believed when it says that there are too many: then
// the keys are counted, and the part makes up for the difference.
func (s *Service) countKey(tx *fsm.Txn, k *state.Key) error {
	most := int64(cmp.Or(s.cfg.MaxKeys, usualMaxKeys))
	sum, err := total(tx.View(), state.KeyCounts, k.AccountID, k.Region)
	if err != nil {
		return err
	}
	off := int64(0)
	if sum >= most {
		keys, err := countKeys(tx.View(), k.AccountID, k.Region, most)
		if err != nil {
			return err
		}
		if keys >= most {
			return limitExceeded("An account cannot have more than %d KMS keys in a Region.", most)
		}
		off = keys - sum
	}
	return addToCountBlindly(tx, 1+off, keyPart(k))
}

// uncountKey is the opposite of countKey.
func uncountKey(tx *fsm.Txn, k *state.Key) error { return addToCountBlindly(tx, -1, keyPart(k)) }

func addToCountBlindly(tx *fsm.Txn, by int64, part []string) error {
	count, _, err := state.KeyCounts.Peek(tx.View(), part...)
	if err != nil {
		return err
	}
	return putCount(tx, state.KeyCounts, count, by, part)
}

// keyPart is the part of the number that a key is counted in: by the last two of
// its random digits.
func keyPart(k *state.Key) []string { return []string{k.AccountID, k.Region, k.ID[len(k.ID)-2:]} }

// countKeys counts the keys of an account in a Region, to most at the utmost.
func countKeys(view fsm.View, account, region string, most int64) (n int64, err error) {
	err = view.Scan(state.Keys.Key(account, region), "", func(fsm.Key, *fsm.Record) (bool, error) {
		n++
		return n < most, nil
	})
	return n, err
}
