package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/test/history"
)

// tenant is a user with a key of its own. It has no rights but those that the
// workloads give it.
type tenant struct {
	user, arn, key string

	// Guarded by Objects.mu.
	credentials []Credentials
	grants      []string // ids that were seen, some of them gone
}

// maxTenants is how many are in use at once.
const maxTenants = 2

// withTenant runs fn with a tenant, and makes one where there are too few.
func (c *Client) withTenant(ctx context.Context, fn func(t *tenant)) {
	if t := c.Objects.tenant(c.Rand); t != nil {
		fn(t)
		return
	}
	c.createTenant(ctx)
}

// createTenant gives up on one that is not whole, because an answer was lost.
func (c *Client) createTenant(ctx context.Context) {
	t := &tenant{user: fmt.Sprintf("tenant-%016x", c.Rand.Uint64())}
	var made struct {
		ARN string `xml:"CreateUserResult>User>Arn"`
		ID  string `xml:"CreateUserResult>User>UserId"`
	}
	op := &history.Op{Name: "CreateUser", User: t.user}
	c.doIAM(ctx, op, m{"UserName": t.user}, &made)
	if t.arn, op.Resolved = made.ARN, made.ID; !done(op) {
		return
	}
	if !c.createAccessKey(ctx, t) {
		return
	}
	key, described := &history.Op{Name: "CreateKey"}, new(metadata)
	c.do(ctx, key, m{}, described)
	if key.Resolved = described.KeyMetadata.KeyID; done(key) {
		t.key = key.Resolved
		c.Objects.addTenant(t)
	}
}

func (c *Client) createAccessKey(ctx context.Context, t *tenant) bool {
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	op := &history.Op{Name: "CreateAccessKey", User: t.user}
	c.doIAM(ctx, op, m{"UserName": t.user}, &made)
	if !done(op) {
		return false
	}
	c.Objects.change(func() { t.credentials = append(t.credentials, Credentials{made.ID, made.Secret}) })
	return true
}

// use is what a tenant does with its key.
func use(name string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withTenant(ctx, func(t *tenant) {
			as, ok := c.Objects.signer(t, c.Rand)
			if !ok {
				return
			}
			op := &history.Op{Name: name, User: t.user, Key: t.key}
			if name == "Encrypt" {
				c.seal(ctx, op, as)
				return
			}
			s, ok := c.Objects.ciphertext(c.Rand, func(s Sealed) bool { return s.Key == t.key })
			if !ok { // the administrator makes one
				c.seal(ctx, &history.Op{Name: "Encrypt", Key: t.key}, Credentials{})
				return
			}
			c.open(ctx, op, as, s)
		})
	}
}

// addTenant takes one into use, in the place of another where there are enough.
func (o *Objects) addTenant(t *tenant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tenants = append(o.tenants, t); len(o.tenants) > maxTenants {
		o.tenants = o.tenants[1:]
	}
}

// dropTenant takes one out of use.
func (o *Objects) dropTenant(t *tenant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tenants = slices.DeleteFunc(o.tenants, func(other *tenant) bool { return other == t })
}

// tenant picks one, nil where there is none, or too few.
func (o *Objects) tenant(r *rand.Rand) *tenant {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := r.IntN(maxTenants); i < len(o.tenants) {
		return o.tenants[i]
	}
	return nil
}

// signer picks an access key of a tenant.
func (o *Objects) signer(t *tenant, r *rand.Rand) (Credentials, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(t.credentials) == 0 {
		return Credentials{}, false
	}
	return t.credentials[r.IntN(len(t.credentials))], true
}

// change changes an object under the lock.
func (o *Objects) change(fn func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn()
}

// account is the account id in an ARN.
func account(arn string) string { return strings.Split(arn, ":")[4] }
