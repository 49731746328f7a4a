package authz

import (
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/state"
)

// keyPolicyName is a key's policy at a revision; revision 0 is the policy of keys
// that have none of their own, the same for all keys of an account, or, under
// their alias, for its AWS managed keys.
type keyPolicyName struct {
	account, region, id string
	revision            fsm.Rev
}

// KeyPolicy answers the policy of a key that has been read through the
// transaction, which guards it. nil stands for a key that does not exist, and
// gets the default policy of the account.
func (a *Authorizer) KeyPolicy(view fsm.View, account string, k *state.Key) (*policy.Document, error) {
	var stored *state.KeyPolicy
	name := keyPolicyName{account: account}
	switch {
	case k == nil:
	case k.Managed != "":
		name.region, name.id = k.Region, k.Managed
	default:
		record, revision, err := state.KeyPolicies.Peek(view, k.AccountID, k.Region, k.ID)
		if err != nil {
			return nil, err
		}
		if record != nil {
			stored = record
			name = keyPolicyName{account: k.AccountID, region: k.Region, id: k.ID, revision: revision}
		}
	}
	if d, ok := a.keyPolicies.get(name); ok {
		return d, nil
	}
	if stored == nil {
		stored = &state.KeyPolicy{Text: DefaultKeyPolicy(account)}
		if k != nil {
			stored.Text = UsualKeyPolicy(k)
		}
	}
	d, err := policy.Parse(policy.KeyPolicy, stored.Text)
	if err != nil {
		return nil, fmt.Errorf("reading the policy of key %s: %w", name.id, err)
	}
	d = d.Bind(stored.IDs)
	a.keyPolicies.put(name, d, len(stored.Text))
	return d, nil
}

// UsualKeyPolicy is the policy of a key that has no KeyPolicy record: that of its
// service for AWS managed keys, and AWS's default policy for others.
func UsualKeyPolicy(k *state.Key) string {
	if k.Managed != "" {
		return managed.KeyPolicy(k.Managed, k.AccountID, k.Region)
	}
	return DefaultKeyPolicy(k.AccountID)
}

// DefaultKeyPolicy is the key policy that AWS gives to keys created through its
// API, as AWS spaces it ("Default key policy" in the KMS developer guide). A key
// without a KeyPolicy record has it.
func DefaultKeyPolicy(accountID string) string {
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
