package workload

import (
	"context"
	"slices"

	"github.com/cofre-kms/cofre/test/history"
)

// status switches an access key of a tenant on or off.
func status(value string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withSigner(ctx, func(t *tenant, key Credentials) {
			op := &history.Op{Name: "UpdateAccessKey", User: t.user, AccessKey: key.AccessKeyID, Value: value}
			c.doIAM(ctx, op, m{"UserName": t.user, "AccessKeyId": key.AccessKeyID, "Status": value}, nil)
		})
	}
}

// replaceAccessKey deletes an access key and makes another. Who was about to sign
// with the old one does so all the same.
func (c *Client) replaceAccessKey(ctx context.Context) {
	c.withSigner(ctx, func(t *tenant, key Credentials) {
		op := &history.Op{Name: "DeleteAccessKey", User: t.user, AccessKey: key.AccessKeyID}
		c.doIAM(ctx, op, m{"UserName": t.user, "AccessKeyId": key.AccessKeyID}, nil)
		if op.Outcome == history.Answered {
			c.Objects.change(func() { t.credentials = slices.DeleteFunc(t.credentials, func(k Credentials) bool { return k == key }) })
		}
		if !c.createAccessKey(ctx, t) {
			c.Objects.dropTenant(t) // it may have as many as it can have, and we know none of them
		}
	})
}

func (c *Client) withSigner(ctx context.Context, fn func(t *tenant, key Credentials)) {
	c.withTenant(ctx, func(t *tenant) {
		if key, ok := c.Objects.signer(t, c.Rand); ok {
			fn(t, key)
		}
	})
}
