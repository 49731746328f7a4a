package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// TestAccessKeyUse: the use of an access key is written with its first call, and
// again when a quarter of an hour has begun, refused calls included; not with every call.
func TestAccessKeyUse(t *testing.T) {
	f := newFixture(t)
	refuse := false
	f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) {
		if refuse {
			return nil, call.Errorf("AccessDeniedException", "No.")
		}
		return &request{}, nil
	}
	use := func() (*state.AccessKeyUse, fsm.Rev) {
		t.Helper()
		f.do(t, "Run", `{"KeyID":"k"}`)
		use, rev, err := state.AccessKeyUses.Peek(f.node.View(), f.root.AccessKeyID)
		if err != nil || use == nil {
			t.Fatalf("the use is not there: %v", err)
		}
		return use, rev
	}
	first, written := use()
	if *first != (state.AccessKeyUse{Time: f.now.UnixMilli(), Service: "kms", Region: "us-east-1"}) {
		t.Errorf("it is %+v", first)
	}
	f.now = f.now.Add(14 * time.Minute)
	if again, rev := use(); rev != written {
		t.Errorf("written again within a quarter of an hour: %+v", again)
	}
	refuse = true
	f.now = f.now.Add(time.Minute)
	if again, rev := use(); rev == written || again.Time != f.now.UnixMilli() {
		t.Errorf("later it is %+v", again)
	}
}
