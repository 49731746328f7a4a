package workload

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/cofre-kms/cofre/test/history"
)

// action is something that clients do, and how often.
type action struct {
	weight int
	run    func(c *Client, ctx context.Context)
}

// workloads are all of them. A new one is a row here, and in history.Models where
// it is about a new kind of object.
var workloads = []struct {
	name    string
	actions []action
}{
	{"keys", []action{
		{2, (*Client).createKey},
		{6, toggle("EnableKey")},
		{4, toggle("DisableKey")},
		{2, toggle("RotateKeyOnDemand")},
		{8, (*Client).describe},
		{12, (*Client).encrypt},
		{8, (*Client).decrypt},
	}},
	{"aliases", []action{
		{3, point("CreateAlias")},
		{4, point("UpdateAlias")},
		{2, (*Client).deleteAlias},
		{6, (*Client).resolve},
	}},
	{"grants", []action{
		{6, (*Client).createGrant},
		{5, endGrant("RevokeGrant")},
		{3, endGrant("RetireGrant")},
		{3, (*Client).listGrants},
		{10, use("Encrypt")},
		{10, use("Decrypt")},
	}},
	{"policies", []action{
		{5, (*Client).putKeyPolicy},
		{4, (*Client).putUserPolicy},
		{3, (*Client).deleteUserPolicy},
		{3, attach("AttachUserPolicy")},
		{3, attach("DetachUserPolicy")},
		{10, use("Encrypt")},
		{10, use("Decrypt")},
	}},
	{"credentials", []action{
		{6, status("Active")},
		{5, status("Inactive")},
		{1, (*Client).replaceAccessKey},
		{20, use("Encrypt")},
	}},
	{"imports", []action{
		{6, (*Client).importOwn},
		{1, (*Client).importForeign},
		{4, (*Client).deleteMaterial},
		{4, (*Client).describeImported},
		{10, (*Client).encryptImported},
		{8, (*Client).decryptImported},
	}},
	{"regions", []action{
		{3, move("ReplicateKey", "ReplicaRegion")},
		{4, move("UpdatePrimaryRegion", "PrimaryRegion")},
		{5, (*Client).rotateRelated},
		{8, (*Client).describeRelated},
		{6, (*Client).encryptRelated},
		{8, (*Client).decryptRelated},
	}},
	{"users", []action{
		{8, (*Client).createUser},
		{6, (*Client).deleteUser},
		{8, (*Client).getUser},
	}},
}

// actionsOf are the actions of workloads, of all where none is named.
func actionsOf(names []string) (list []action) {
	for _, w := range workloads {
		if len(names) == 0 || slices.Contains(names, w.name) {
			list = append(list, w.actions...)
		}
	}
	return list
}

// Draw chooses some of the workloads, so that clusters differ in what they are
// busy with.
func Draw(r *rand.Rand) (names []string) {
	for len(names) == 0 {
		for _, w := range workloads {
			if r.IntN(2) == 0 {
				names = append(names, w.name)
			}
		}
	}
	return names
}

// metadata is a response that describes a key.
type metadata struct {
	KeyMetadata struct {
		KeyID    string `json:"KeyId"`
		KeyState string
		Material string `json:"CurrentKeyMaterialId"`
	}
}

func (c *Client) createKey(ctx context.Context) {
	op, made := &history.Op{Name: "CreateKey"}, new(metadata)
	c.do(ctx, op, m{}, made)
	if done(op) {
		op.Resolved = made.KeyMetadata.KeyID
		c.Objects.addKey(op.Resolved, c.Rand)
	}
}

// withKey runs fn with a key, and makes one where there is none yet.
func (c *Client) withKey(ctx context.Context, fn func(id string)) {
	if id := c.Objects.key(c.Rand); id != "" {
		fn(id)
		return
	}
	c.createKey(ctx)
}

func toggle(name string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withKey(ctx, func(id string) { c.do(ctx, &history.Op{Name: name, Key: id}, m{"KeyId": id}, nil) })
	}
}

func (c *Client) describe(ctx context.Context) {
	c.withKey(ctx, func(id string) { c.Describe(ctx, "", id) })
}

// Describe describes a key on a node, on any where it is "".
func (c *Client) Describe(ctx context.Context, node, id string) *history.Op {
	op, seen := &history.Op{Name: "DescribeKey", Key: id, Node: node}, new(metadata)
	c.do(ctx, op, m{"KeyId": id}, seen)
	op.State, op.Material = seen.KeyMetadata.KeyState, seen.KeyMetadata.Material
	return op
}

// Enable enables a key.
func (c *Client) Enable(ctx context.Context, node, id string) *history.Op {
	op := &history.Op{Name: "EnableKey", Key: id, Node: node}
	c.do(ctx, op, m{"KeyId": id}, nil)
	return op
}

func (c *Client) encrypt(ctx context.Context) {
	c.withKey(ctx, func(id string) { c.seal(ctx, &history.Op{Name: "Encrypt", Key: id}, Credentials{}) })
}

// seal does an operation that encrypts.
func (c *Client) seal(ctx context.Context, op *history.Op, as Credentials) {
	op.Plaintext = plaintext(c.Rand)
	var sealed struct{ CiphertextBlob []byte }
	c.send(ctx, op, "kms", as, m{"KeyId": op.Key, "Plaintext": op.Plaintext}, &sealed)
	if done(op) {
		op.Ciphertext = sealed.CiphertextBlob
		c.Objects.addSealed(op)
	}
}

func (c *Client) decrypt(ctx context.Context) {
	if s, ok := c.Objects.ciphertext(c.Rand, ordinary); ok {
		c.Decrypt(ctx, "", s)
	}
}

// Decrypt decrypts a ciphertext as the administrator on a node, on any where it
// is "".
func (c *Client) Decrypt(ctx context.Context, node string, s Sealed) *history.Op {
	op := &history.Op{Name: "Decrypt", Node: node, Key: s.Key, Region: s.Region, Origin: s.Origin}
	c.open(ctx, op, Credentials{}, s)
	return op
}

// open does an operation that decrypts a ciphertext.
func (c *Client) open(ctx context.Context, op *history.Op, as Credentials, s Sealed) {
	op.Ciphertext = s.Ciphertext
	request := m{"CiphertextBlob": s.Ciphertext}
	if op.Region != "" {
		request["KeyId"] = s.Key // else a Region that does not have the key says that the ciphertext is invalid
	}
	var opened struct{ Plaintext []byte }
	c.send(ctx, op, "kms", as, request, &opened)
	if op.Plaintext = opened.Plaintext; done(op) && !bytes.Equal(opened.Plaintext, s.Plaintext) {
		c.Objects.fail("a ciphertext of %q decrypts to %q: %v", s.Plaintext, opened.Plaintext, op)
	}
}

func point(name string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withKey(ctx, func(id string) {
			op := &history.Op{Name: name, Alias: c.Objects.alias(c.Rand), Target: id}
			c.do(ctx, op, m{"AliasName": op.Alias, "TargetKeyId": id}, nil)
		})
	}
}

func (c *Client) deleteAlias(ctx context.Context) {
	op := &history.Op{Name: "DeleteAlias", Alias: c.Objects.alias(c.Rand)}
	c.do(ctx, op, m{"AliasName": op.Alias}, nil)
}

// resolve asks what an alias points to.
func (c *Client) resolve(ctx context.Context) {
	op, seen := &history.Op{Name: "DescribeKey", Alias: c.Objects.alias(c.Rand)}, new(metadata)
	c.do(ctx, op, m{"KeyId": op.Alias}, seen)
	op.Resolved = seen.KeyMetadata.KeyID
}
