package workload

import (
	"bytes"
	"context"

	"github.com/cofre-kms/cofre/test/history"
)

// actions are what clients do, and how often. A new workload is a row here, and
// in history.Models where it is about a new kind of object.
var actions = []struct {
	weight int
	run    func(c *Client, ctx context.Context)
}{
	{2, (*Client).createKey},
	{6, toggle("EnableKey")},
	{4, toggle("DisableKey")},
	{2, toggle("RotateKeyOnDemand")},
	{8, (*Client).describe},
	{12, (*Client).encrypt},
	{8, (*Client).decrypt},
	{3, point("CreateAlias")},
	{4, point("UpdateAlias")},
	{2, (*Client).deleteAlias},
	{6, (*Client).resolve},
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
	c.withKey(ctx, func(id string) {
		op := &history.Op{Name: "Encrypt", Key: id, Plaintext: plaintext(c.Rand)}
		var sealed struct{ CiphertextBlob []byte }
		c.do(ctx, op, m{"KeyId": id, "Plaintext": op.Plaintext}, &sealed)
		if done(op) {
			op.Ciphertext = sealed.CiphertextBlob
			c.Objects.addSealed(Sealed{Key: id, Plaintext: op.Plaintext, Ciphertext: op.Ciphertext})
		}
	})
}

func (c *Client) decrypt(ctx context.Context) {
	if s, ok := c.Objects.ciphertext(c.Rand); ok {
		c.Decrypt(ctx, "", s)
	}
}

// Decrypt decrypts a ciphertext on a node, on any where it is "".
func (c *Client) Decrypt(ctx context.Context, node string, s Sealed) *history.Op {
	op := &history.Op{Name: "Decrypt", Key: s.Key, Ciphertext: s.Ciphertext, Node: node}
	var opened struct{ Plaintext []byte }
	c.do(ctx, op, m{"CiphertextBlob": s.Ciphertext}, &opened)
	if op.Plaintext = opened.Plaintext; done(op) && !bytes.Equal(opened.Plaintext, s.Plaintext) {
		c.Objects.fail("a ciphertext of %q decrypts to %q: %v", s.Plaintext, opened.Plaintext, op)
	}
	return op
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
