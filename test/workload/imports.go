package workload

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/cofre-kms/cofre/test/history"
)

// imported is a key whose material clients bring.
type imported struct {
	key      string
	material []byte

	// Guarded by Objects.mu.
	wrapping *rsa.PublicKey // nil until it is known
	token    []byte
	until    time.Time // when to ask for another token
	bound    bool      // material has been imported: no other can be
}

// maxImported is how many there are: each costs an RSA key.
const maxImported = 2

func (c *Client) withImported(ctx context.Context, fn func(x *imported)) {
	if x := c.Objects.pickImported(c.Rand.IntN(maxImported)); x != nil {
		fn(x)
		return
	}
	op, made := &history.Op{Name: "CreateKey", Origin: history.External}, new(metadata)
	c.do(ctx, op, m{"Origin": history.External}, made)
	if op.Resolved = made.KeyMetadata.KeyID; done(op) {
		x := &imported{key: op.Resolved, material: make([]byte, 32)}
		for i := range x.material {
			x.material[i] = byte(c.Rand.Uint32())
		}
		c.Objects.change(func() { c.Objects.imported = append(c.Objects.imported, x) })
	}
}

func (x *imported) op(name string) *history.Op {
	return &history.Op{Name: name, Key: x.key, Origin: history.External}
}

// tokenUse is for how long a token is used, which is valid for twice as long.
const tokenUse = 12 * time.Hour

// prepare asks for the means to import, where they are not known.
func (c *Client) prepare(ctx context.Context, x *imported) bool {
	known := false
	c.Objects.change(func() { known = x.wrapping != nil && time.Now().Before(x.until) })
	if known {
		return true
	}
	var parameters struct{ ImportToken, PublicKey []byte }
	op := x.op("GetParametersForImport")
	c.do(ctx, op, m{"KeyId": x.key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}, &parameters)
	if !done(op) {
		return false
	}
	public, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	wrapping, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
		c.Objects.fail("a wrapping key is %T: %v: %v", public, err, op)
		return false
	}
	c.Objects.change(func() {
		x.wrapping, x.token, x.until = wrapping, parameters.ImportToken, time.Now().Add(tokenUse)
	})
	return true
}

// Import imports the material of a key, of which key is the id, on a node, on any
// where it is "". It answers nil where it could not prepare.
func (c *Client) Import(ctx context.Context, node, key string) *history.Op {
	x := c.Objects.findImported(key)
	if !c.prepare(ctx, x) {
		return nil
	}
	op := x.op("ImportKeyMaterial")
	op.Node, op.Value = node, history.Own
	c.bring(ctx, x, op, x.material)
	return op
}

func (c *Client) importOwn(ctx context.Context) {
	c.withImported(ctx, func(x *imported) { c.Import(ctx, "", x.key) })
}

// importForeign tries to import other material than the key once had.
func (c *Client) importForeign(ctx context.Context) {
	c.withImported(ctx, func(x *imported) {
		bound := false
		c.Objects.change(func() { bound = x.bound })
		if !bound || !c.prepare(ctx, x) {
			return
		}
		op := x.op("ImportKeyMaterial")
		op.Value = history.Foreign
		c.bring(ctx, x, op, make([]byte, 32))
	})
}

func (c *Client) bring(ctx context.Context, x *imported, op *history.Op, material []byte) {
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, x.wrapping, material, nil)
	if err != nil {
		panic(err) // 32 bytes
	}
	c.do(ctx, op, m{
		"KeyId": x.key, "ImportToken": x.token, "EncryptedKeyMaterial": encrypted, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
	}, nil)
	if done(op) {
		c.Objects.change(func() { x.bound = true })
	}
}

func (c *Client) deleteMaterial(ctx context.Context) {
	c.withImported(ctx, func(x *imported) { c.do(ctx, x.op("DeleteImportedKeyMaterial"), m{"KeyId": x.key}, nil) })
}

func (c *Client) describeImported(ctx context.Context) {
	c.withImported(ctx, func(x *imported) {
		op, seen := x.op("DescribeKey"), new(metadata)
		c.do(ctx, op, m{"KeyId": x.key}, seen)
		op.State = seen.KeyMetadata.KeyState
	})
}

func (c *Client) encryptImported(ctx context.Context) {
	c.withImported(ctx, func(x *imported) { c.seal(ctx, x.op("Encrypt"), Credentials{}) })
}

func (c *Client) decryptImported(ctx context.Context) {
	if s, ok := c.Objects.ciphertext(c.Rand, func(s Sealed) bool { return s.Origin == history.External }); ok {
		c.Decrypt(ctx, "", s)
	}
}

// pickImported answers one of the first, nil where there are not so many.
func (o *Objects) pickImported(i int) *imported {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i < len(o.imported) {
		return o.imported[i]
	}
	return nil
}

func (o *Objects) findImported(key string) *imported {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.imported {
		if x.key == key {
			return x
		}
	}
	return nil
}

// Imported are the ids of the keys whose material may have been imported.
func (o *Objects) Imported() (ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.imported {
		if x.wrapping != nil {
			ids = append(ids, x.key)
		}
	}
	return ids
}
