package authz

import (
	"net/http"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/managed"
)

// conditions are the condition keys of a request: those of the caller, and those
// that the operation answers.
type conditions struct {
	caller *Caller
	call   *call.Call
	get    func(key string) []string // nil: none
}

// Get implements policy.Context.
func (c *conditions) Get(key string) []string {
	if c.get != nil {
		if values := c.get(key); values != nil {
			return values
		}
	}
	return c.caller.Global(c.call, key)
}

// Permit is nil where the caller may take an action, "iam:CreateUser", with a
// resource of its account that has no policy of its own: an ARN or "*". It is an
// AccessDenied in AWS's words where it may not. What it reads guards the
// transaction.
func (a *Authorizer) Permit(tx *fsm.Txn, c *call.Call, action, resource string) error {
	return a.PermitBy(tx, c, action, resource, c.Principal.AccountID, nil, nil)
}

// PermitBy is Permit for a resource of an account that has a policy, and a
// request with condition keys of its own.
func (a *Authorizer) PermitBy(tx *fsm.Txn, c *call.Call, action, resource, account string, by *policy.Document,
	get func(key string) []string) error {
	caller, err := a.Caller(tx, &c.Principal)
	if err != nil {
		return err
	}
	request := &policy.Request{
		Action: action, Resource: resource, Account: account, Context: &conditions{caller: caller, call: c, get: get},
	}
	decision := caller.Decide(request, by, nil)
	if decision.Outcome == policy.Allow {
		return nil
	}
	refusal := call.Errorf("AccessDenied", "%s", decision.Message(request))
	refusal.Status = http.StatusForbidden
	return refusal
}

// Federated says whether a resource's policy alone allows an action to the
// identities of a provider.
func (a *Authorizer) Federated(c *call.Call, action, resource, provider, account string, by *policy.Document,
	get func(key string) []string) bool {
	caller := &Caller{
		Principal: policy.Principal{Account: account, ARN: c.Principal.ARN, Federated: provider}, identity: &identity{}, from: &c.Principal,
	}
	request := &policy.Request{
		Action: action, Resource: resource, Account: account, Context: &conditions{caller: caller, call: c, get: get},
	}
	return caller.Decide(request, by, nil).Outcome == policy.Allow
}

// Managed answers the text of a managed policy in its version in force: of AWS,
// or of an account; "" where there is none.
func (a *Authorizer) Managed(view fsm.View, account, arn string) (string, error) {
	if m := managed.Find(arn); m != nil {
		return m.Text, nil
	}
	return ownPolicy(view, account, arn)
}
