package workload

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/test/history"
)

// inlineName is the name of the inline policy that a tenant has, or has not.
const inlineName = "flips"

// effects are what a policy says of a tenant: nothing is said by the last.
var effects = []string{"Allow", "Deny", ""}

func (c *Client) putKeyPolicy(ctx context.Context) {
	c.withTenant(ctx, func(t *tenant) {
		op := &history.Op{Name: "PutKeyPolicy", User: t.user, Key: t.key, Value: effects[c.Rand.IntN(len(effects))]}
		c.do(ctx, op, m{"KeyId": t.key, "Policy": keyPolicy(t, op.Value)}, nil)
	})
}

// keyPolicy leaves the administrator what he has.
func keyPolicy(t *tenant, effect string) string {
	more := ""
	if effect != "" {
		more = fmt.Sprintf(`,{"Effect":%q,"Principal":{"AWS":%q},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}`, effect, t.arn)
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},`+
		`"Action":"kms:*","Resource":"*"}%s]}`, account(t.arn), more)
}

func (c *Client) putUserPolicy(ctx context.Context) {
	c.withTenant(ctx, func(t *tenant) {
		op := &history.Op{Name: "PutUserPolicy", User: t.user, Value: effects[c.Rand.IntN(2)]}
		c.doIAM(ctx, op, m{"UserName": t.user, "PolicyName": inlineName, "PolicyDocument": fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}}`, op.Value)}, nil)
	})
}

func (c *Client) deleteUserPolicy(ctx context.Context) {
	c.withTenant(ctx, func(t *tenant) {
		c.doIAM(ctx, &history.Op{Name: "DeleteUserPolicy", User: t.user}, m{"UserName": t.user, "PolicyName": inlineName}, nil)
	})
}

// managedPolicy is one of AWS's, which allows all that tenants do.
const managedPolicy = "arn:aws:iam::aws:policy/AdministratorAccess"

// attach attaches a managed policy to a tenant, or detaches it.
func attach(name string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withTenant(ctx, func(t *tenant) {
			c.doIAM(ctx, &history.Op{Name: name, User: t.user}, m{"UserName": t.user, "PolicyArn": managedPolicy}, nil)
		})
	}
}
