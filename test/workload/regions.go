package workload

import (
	"context"

	"github.com/cofre-kms/cofre/test/history"
)

// maxRelated is how many multi-Region keys are in use at once.
const maxRelated = 2

// withRelated runs fn with a multi-Region key and a Region, and makes a key now
// and then: one that is everywhere already shows less.
func (c *Client) withRelated(ctx context.Context, fn func(id, region string)) {
	id, regions := c.Objects.pickRelated(c.Rand.IntN(maxRelated)), c.API.Regions()
	if id == "" || c.Rand.IntN(60) == 0 {
		c.createRelated(ctx, regions[0])
		return
	}
	fn(id, regions[c.Rand.IntN(len(regions))])
}

func (c *Client) createRelated(ctx context.Context, region string) {
	op, made := &history.Op{Name: "CreateKey", Region: region}, new(metadata)
	c.do(ctx, op, m{"MultiRegion": true}, made)
	if op.Resolved = made.KeyMetadata.KeyID; !done(op) {
		return
	}
	c.Objects.change(func() {
		if c.Objects.related = append(c.Objects.related, op.Resolved); len(c.Objects.related) > maxRelated {
			c.Objects.related = c.Objects.related[1:]
		}
	})
}

// move does an operation that names another Region: it makes a replica there, or
// the primary key of the one that is.
func move(name, parameter string) func(*Client, context.Context) {
	return func(c *Client, ctx context.Context) {
		c.withRelated(ctx, func(id, region string) {
			regions := c.API.Regions()
			op := &history.Op{Name: name, Key: id, Region: region, Value: regions[c.Rand.IntN(len(regions))]}
			c.do(ctx, op, m{"KeyId": id, parameter: op.Value}, nil)
		})
	}
}

func (c *Client) rotateRelated(ctx context.Context) {
	c.withRelated(ctx, func(id, region string) {
		c.do(ctx, &history.Op{Name: "RotateKeyOnDemand", Key: id, Region: region}, m{"KeyId": id}, nil)
	})
}

func (c *Client) describeRelated(ctx context.Context) {
	c.withRelated(ctx, func(id, region string) {
		var seen struct {
			KeyMetadata struct {
				Material                 string `json:"CurrentKeyMaterialId"`
				MultiRegionConfiguration struct {
					PrimaryKey  struct{ Region string }
					ReplicaKeys []struct{ Region string }
				}
			}
		}
		op := &history.Op{Name: "DescribeKey", Key: id, Region: region}
		c.do(ctx, op, m{"KeyId": id}, &seen)
		if !done(op) {
			return
		}
		set := seen.KeyMetadata.MultiRegionConfiguration
		op.Material, op.Resolved = seen.KeyMetadata.Material, set.PrimaryKey.Region
		for _, replica := range set.ReplicaKeys {
			op.Listed = append(op.Listed, replica.Region)
		}
	})
}

func (c *Client) encryptRelated(ctx context.Context) {
	c.withRelated(ctx, func(id, region string) {
		c.seal(ctx, &history.Op{Name: "Encrypt", Key: id, Region: region}, Credentials{})
	})
}

// decryptRelated decrypts in any Region what was encrypted in another.
func (c *Client) decryptRelated(ctx context.Context) {
	if s, ok := c.Objects.ciphertext(c.Rand, func(s Sealed) bool { return s.Region != "" }); ok {
		regions := c.API.Regions()
		s.Region = regions[c.Rand.IntN(len(regions))]
		c.Decrypt(ctx, "", s)
	}
}

// pickRelated answers one of the keys, "" where there are not so many.
func (o *Objects) pickRelated(i int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i < len(o.related) {
		return o.related[i]
	}
	return ""
}
