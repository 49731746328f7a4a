package sigv4

import (
	"strings"
	"sync"
)

// Keys keeps signing keys in memory, a bounded number of them. It is safe for
// concurrent use.
//
// It holds two generations of keys and drops the older one when the younger is
// full: a key that is in use moves to the younger one whenever it is found in
// the older. That costs one map look-up, and no list to keep in order.
type Keys struct {
	limit int // of one generation

	mu    sync.Mutex
	young map[keyName]*SigningKey
	old   map[keyName]*SigningKey
}

// keyName is what a signing key depends on. The revision is that of the access
// key's record, so a record that changes never meets a key of its past.
type keyName struct {
	accessKeyID, date, region, service string
	revision                           uint64
}

// NewKeys makes a cache of at most limit keys.
func NewKeys(limit int) *Keys {
	return &Keys{limit: max(1, limit/2), young: make(map[keyName]*SigningKey)}
}

func (c *Claim) keyName(revision uint64) keyName {
	return keyName{accessKeyID: c.AccessKeyID, date: c.Date, region: c.Region, service: c.Service, revision: revision}
}

// Get answers the key of a claim by the access key at a revision, nil where it is
// not there.
func (k *Keys) Get(c *Claim, revision uint64) *SigningKey {
	name := c.keyName(revision)
	k.mu.Lock()
	key, old := k.young[name], k.old[name]
	k.mu.Unlock()
	if key == nil && old != nil {
		k.Put(c, revision, old)
		return old
	}
	return key
}

// Put keeps a key.
func (k *Keys) Put(c *Claim, revision uint64, key *SigningKey) {
	name := c.keyName(revision)
	// The claim's strings are parts of a request's header: they would keep it.
	name.accessKeyID, name.date = strings.Clone(name.accessKeyID), strings.Clone(name.date)
	name.region, name.service = strings.Clone(name.region), strings.Clone(name.service)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.young) >= k.limit {
		k.old, k.young = k.young, make(map[keyName]*SigningKey, k.limit)
	}
	k.young[name] = key
}

// Len is the number of keys that are kept.
func (k *Keys) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.young) + len(k.old)
}
