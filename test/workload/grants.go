package workload

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/test/history"
)

// maxGrants is how many grants of a tenant are remembered.
const maxGrants = 4

func (c *Client) createGrant(ctx context.Context) {
	c.withTenant(ctx, func(t *tenant) {
		operations := [][]string{{"Encrypt"}, {"Decrypt"}, {"Decrypt", "Encrypt"}}[c.Rand.IntN(3)]
		op := &history.Op{Name: "CreateGrant", User: t.user, Key: t.key, Value: strings.Join(operations, " ")}
		var made struct {
			GrantID string `json:"GrantId"`
		}
		c.do(ctx, op, m{"KeyId": t.key, "GranteePrincipal": t.arn, "Operations": operations}, &made)
		if op.Grant = made.GrantID; done(op) {
			c.Objects.change(func() { t.grants = append(t.grants, made.GrantID) })
		}
	})
}

// endGrant revokes or retires a grant, also one that is gone.
func endGrant(name string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withTenant(ctx, func(t *tenant) {
			id := c.Objects.grant(t, c.Rand)
			if id == "" {
				c.listGrantsOf(ctx, t)
				return
			}
			op := &history.Op{Name: name, User: t.user, Key: t.key, Grant: id}
			c.do(ctx, op, m{"KeyId": t.key, "GrantId": id}, nil)
		})
	}
}

func (c *Client) listGrants(ctx context.Context) {
	c.withTenant(ctx, func(t *tenant) { c.listGrantsOf(ctx, t) })
}

// listGrantsOf also finds the grants whose making was not answered.
func (c *Client) listGrantsOf(ctx context.Context, t *tenant) {
	op := &history.Op{Name: "ListGrants", User: t.user, Key: t.key}
	var list struct {
		Grants []struct {
			GrantID string `json:"GrantId"`
		}
		Truncated bool
	}
	c.do(ctx, op, m{"KeyId": t.key, "GranteePrincipal": t.arn, "Limit": 100}, &list)
	if !done(op) {
		return
	}
	if list.Truncated {
		c.Objects.fail("%d grants are not all: %v", len(list.Grants), op)
	}
	for _, g := range list.Grants {
		op.Listed = append(op.Listed, g.GrantID)
	}
	slices.Sort(op.Listed)
	c.Objects.change(func() { t.grants = append(t.grants, op.Listed...) })
}

// grant picks one of the grants of a tenant that were seen last, "" where there
// is none.
func (o *Objects) grant(t *tenant, r *rand.Rand) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.grants = t.grants[max(0, len(t.grants)-maxGrants):]
	if len(t.grants) == 0 {
		return ""
	}
	return t.grants[r.IntN(len(t.grants))]
}
