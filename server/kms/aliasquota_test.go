package kms_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cofre-kms/cofre/server/call"
)

// TestAliasQuotaAtOneInstant: of two aliases that are made at a time when there is
// room for one, the second is refused. The alias that is made first touches the
// key, and so the count that the other rests on is guarded.
func TestAliasQuotaAtOneInstant(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	for i := range 49 {
		f.do("CreateAlias", m{"AliasName": fmt.Sprintf("alias/%d", i), "TargetKeyId": id})
	}
	f.node.Before = func() {
		f.node.Before = nil
		f.do("CreateAlias", m{"AliasName": "alias/first", "TargetKeyId": id})
	}
	_, err := f.try("CreateAlias", encode(t, m{"AliasName": "alias/second", "TargetKeyId": id}))
	if refusal := (*call.Error)(nil); !errors.As(err, &refusal) || refusal.Code != "LimitExceededException" {
		t.Errorf("the second alias is answered with %v", err)
	}
	if aliases := f.do("ListAliases", m{"KeyId": id, "Limit": 100}).list("Aliases"); len(aliases) != 50 {
		t.Errorf("the key has %d aliases", len(aliases))
	}
}
