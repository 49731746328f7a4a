package server

import (
	"strings"
	"sync"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

// keyUses remembers when access keys were used, to write it down now and then: a
// key that is in use all the time is written once in every usePeriod, by each
// node, with a call that is committed anyway. It is safe for concurrent use.
type keyUses struct {
	mu    sync.Mutex
	noted map[string]keyUse // by access key id
}

// keyUse is a use as exactly as it is written.
type keyUse struct {
	period          time.Time
	service, region string
}

const (
	// usePeriod is how exact the time of a last use is. AWS's own is known to lag by
	// hours ("GetAccessKeyLastUsed", IAM API reference).
	usePeriod = 15 * time.Minute
	// maxUses bounds the access keys that are remembered.
	maxUses = 16384
)

// note writes the use of an access key with the transaction of the call, unless it
// is written already. written is for after the commit.
func (u *keyUses) note(tx *fsm.Txn, c *call.Call) (written func(), err error) {
	id := c.Principal.AccessKeyID
	if id == "" || identity.IsTemporary(id) {
		return func() {}, nil
	}
	use := keyUse{c.Time.Truncate(usePeriod), c.Service, c.Region}
	u.mu.Lock()
	known := u.noted[id] == use
	u.mu.Unlock()
	if known {
		return func() {}, nil
	}
	err = state.AccessKeyUses.Put(tx, &state.AccessKeyUse{Time: c.Time.UnixMilli(), Service: c.Service, Region: c.Region}, id)
	return func() { u.remember(id, use) }, err
}

func (u *keyUses) remember(id string, use keyUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.noted == nil || len(u.noted) >= maxUses {
		u.noted = make(map[string]keyUse)
	}
	use.region = strings.Clone(use.region) // a part of a request's header
	u.noted[strings.Clone(id)] = use
}
