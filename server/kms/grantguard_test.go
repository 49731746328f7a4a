package kms_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// TestGrantGuards commits a change to grants between an operation and its commit,
// as TestGuards does: it must stop those whom it concerns, and nobody else.
func TestGrantGuards(t *testing.T) {
	type world struct {
		*fixture
		ann, bob       *call.Principal
		id, arn, blob  string
		grantID, token string // Ann's
	}
	type step struct {
		who       func(w *world) *call.Principal // nil: the administrator
		operation string
		request   func(w *world) m
	}
	ann := func(w *world) *call.Principal { return w.ann }
	bob := func(w *world) *call.Principal { return w.bob }
	decrypt := func(w *world) m { return m{"CiphertextBlob": w.blob, "KeyId": w.arn} }
	byID := func(w *world) m { return m{"KeyId": w.arn, "GrantId": w.grantID} }
	key := func(w *world) m { return m{"KeyId": w.arn} }
	to := func(who func(*world) *call.Principal, name any) func(w *world) m {
		return func(w *world) m {
			return m{"KeyId": w.arn, "GranteePrincipal": who(w).ARN, "Operations": []string{"Decrypt"}, "Name": name}
		}
	}
	revoke, retire := step{nil, "RevokeGrant", byID}, step{ann, "RetireGrant", func(w *world) m { return m{"GrantToken": w.token} }}
	encrypt := step{nil, "Encrypt", func(w *world) m { return m{"KeyId": w.id, "Plaintext": []byte("x")} }}
	for name, test := range map[string]struct {
		first, then step
		commits     bool
	}{
		"use, then its grant is revoked":              {step{ann, "Decrypt", decrypt}, revoke, false},
		"use, then its grant is retired":              {step{ann, "Decrypt", decrypt}, retire, false},
		"use, then the key is disabled":               {step{ann, "Decrypt", decrypt}, step{nil, "DisableKey", key}, false},
		"refusal, then a grant":                       {step{bob, "Decrypt", decrypt}, step{nil, "CreateGrant", to(bob, nil)}, false},
		"delegation, then the right to it is revoked": {step{ann, "CreateGrant", to(bob, nil)}, revoke, false},
		"grant, then the key is disabled":             {step{nil, "CreateGrant", to(bob, nil)}, step{nil, "DisableKey", key}, false},
		"grant, then the key's deletion is scheduled": {step{nil, "CreateGrant", to(bob, nil)}, step{nil, "ScheduleKeyDeletion", key}, false},
		"the same name twice":                         {step{nil, "CreateGrant", to(bob, "n")}, step{nil, "CreateGrant", to(bob, "n")}, false},
		"revoked, then retired":                       {revoke, retire, false},
		"retired, then revoked":                       {retire, revoke, false},

		"use, then a grant of somebody else": {step{ann, "Decrypt", decrypt}, step{nil, "CreateGrant", to(bob, nil)}, true},
		"the owner's use, then a grant":      {encrypt, step{nil, "CreateGrant", to(bob, nil)}, true},
		"the owner's use, then a revocation": {encrypt, revoke, true},
		"refusal, then a revocation":         {step{bob, "Decrypt", decrypt}, revoke, true},
		"use, then use":                      {step{ann, "Decrypt", decrypt}, step{ann, "Decrypt", decrypt}, true},
		"a grant, then use":                  {step{nil, "CreateGrant", to(bob, nil)}, step{ann, "Decrypt", decrypt}, true},
		"a list, then a grant":               {step{nil, "ListGrants", key}, step{nil, "CreateGrant", to(bob, nil)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{fixture: newFixture(t)}
			w.ann, w.bob = w.user(foreign, "ann"), w.user(foreign, "bob")
			w.id, w.arn = w.create(m{})
			w.blob = w.encrypt(w.id, "x", nil)
			w.grantID, w.token = w.grant(w.id, w.ann, nil, "Decrypt", "CreateGrant", "RetireGrant")
			by := func(who func(*world) *call.Principal, run func()) {
				if who == nil {
					run()
				} else {
					w.as(who(w), run)
				}
			}
			var commits func() bool
			by(test.first.who, func() { commits = w.begin(test.first.operation, test.first.request(w)) })
			by(test.then.who, func() { w.do(test.then.operation, test.then.request(w)) })
			if got := commits(); got != test.commits {
				t.Errorf("commits: %v", got)
			}
		})
	}
}

// TestRevokeIsObeyedEverywhere: a node that has not heard of a revocation
// decrypts, and its answer never leaves.
func TestRevokeIsObeyedEverywhere(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	id, arn := f.create(m{})
	blob := f.encrypt(id, "x", nil)
	grantID, _ := f.grant(id, ann, nil, "Decrypt")
	f.node.Before = func() {
		f.node.Before = nil
		f.as(admin(account), func() { f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID}) })
	}
	f.as(ann, func() {
		if _, err := f.try("Decrypt", encode(t, m{"KeyId": arn, "CiphertextBlob": blob})); err == nil || err.Error() != denied(ann, "Decrypt") {
			t.Errorf("got %v", err)
		}
	})
}

// counting counts the records that are read through a view.
type counting struct {
	fsm.View
	reads int
}

func (c *counting) Get(key fsm.Key) (*fsm.Record, error) {
	c.reads++
	return c.View.Get(key)
}

func (c *counting) Scan(prefix, after fsm.Key, fn func(fsm.Key, *fsm.Record) (bool, error)) error {
	c.reads++ // finding that there is nothing is work, too
	return c.View.Scan(prefix, after, func(key fsm.Key, rec *fsm.Record) (bool, error) {
		c.reads++
		return fn(key, rec)
	})
}

// work is what an operation costs besides time.
type work struct{ reads, allocations int }

// cost runs an operation, which must succeed, and answers how many records it
// reads and how often it allocates memory, once what it looks at is known.
func (f *fixture) cost(operation string, request m) work {
	f.Helper()
	op := f.operations[operation]
	decoded, err := op.Decode(encode(f, request))
	if err != nil {
		f.Fatal(err)
	}
	view := &counting{View: f.node.View()}
	run := func() {
		view.reads = 0
		_, refusal, err := record.Perform(f.Context(), fsm.NewTxn(view), f.newCall(), &op, decoded)
		if err != nil || refusal != nil {
			f.Fatalf("%s: %v, %v", operation, refusal, err)
		}
	}
	allocations := testing.AllocsPerRun(10, run)
	return work{view.reads, int(allocations)}
}

// TestManyGrants gives a key as many grants as it can have, and both accounts two
// thousand users. Using it costs what it costs with one grant; another grant is
// refused. Work is counted, not time (BenchmarkManyGrants).
func TestManyGrants(t *testing.T) {
	const most = 50_000
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	f.manyUsers(account, 2000)
	f.manyUsers(foreign, 2000)
	few, fewARN := f.create(m{})
	many, manyARN := f.create(m{})
	volume := func(i int) m { return contextOf("tenant", "x", "volume", fmt.Sprint(i)) }
	f.grant(few, ann, m{"Constraints": m{"EncryptionContextSubset": volume(7)}}, "Decrypt", "Encrypt")
	f.grant(few, ann, nil, "DescribeKey")
	f.grant(many, ann, m{"Constraints": m{"EncryptionContextSubset": volume(-1)}}, "Decrypt", "Encrypt")
	f.manyGrants(many, ann, most-3)
	f.grant(many, ann, nil, "DescribeKey")

	cost := func(operation string, request func(id string) m) {
		t.Helper()
		one, all := f.cost(operation, request(fewARN)), f.cost(operation, request(manyARN))
		if all.reads > 2*one.reads || all.allocations > 2*one.allocations {
			t.Errorf("%s by %v: %+v with a key with two grants, %+v with one with %d", operation, f.caller, one, all, most)
		}
	}
	encrypt := func(arn string) m { return m{"KeyId": arn, "Plaintext": []byte("x"), "EncryptionContext": volume(7)} }
	cost("Encrypt", encrypt)
	cost("DescribeKey", func(arn string) m { return m{"KeyId": arn} })
	f.as(ann, func() {
		cost("Encrypt", encrypt)
		cost("DescribeKey", func(arn string) m { return m{"KeyId": arn} })
		refused := m{"KeyId": manyARN, "Plaintext": []byte("x"), "EncryptionContext": contextOf("tenant", "x", "volume", "none")}
		f.refuse("Encrypt", refused, denied(ann, "Encrypt"))
	})

	last, _ := f.grant(many, ann, nil, "Decrypt")
	another := m{"KeyId": many, "GranteePrincipal": ann.ARN, "Operations": []string{"Decrypt"}}
	limit := "LimitExceededException: A KMS key cannot have more than 50000 grants."
	f.refuse("CreateGrant", another, limit)
	another["DryRun"] = true
	f.refuse("CreateGrant", another, limit)
	f.do("RevokeGrant", m{"KeyId": many, "GrantId": last})
	f.refuse("CreateGrant", another, dryRun)
}

// manyUsers makes users of an account beside the API, each with a policy.
func (f *fixture) manyUsers(account string, n int) {
	f.Helper()
	for from := 0; from < n; from += 100 {
		f.write(func(tx *fsm.Txn) (err error) {
			for i := from; i < min(from+100, n); i++ {
				u := &state.User{AccountID: account, Name: fmt.Sprintf("user%d", i), Path: "/", ID: fmt.Sprintf("AIDAMANY%s%d", account, i)}
				err = errors.Join(err,
					state.Users.Put(tx, u, account, u.Name),
					state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.UserKind, Name: u.Name}, u.ID),
					state.InlinePolicies.Put(tx, &state.InlinePolicy{Name: "p", Text: useOnly}, account, u.ID, "p"),
				)
			}
			return errors.Join(err, state.Directories.Touch(tx, account))
		})
	}
}

const useOnly = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}}`

// manyGrants makes grants of a key beside the API, half of them for one principal
// and each for a context of its own, the others for a principal each.
func (f *fixture) manyGrants(id string, to *call.Principal, n int) {
	f.Helper()
	for from := 0; from < n; from += 24 {
		f.write(func(tx *fsm.Txn) error {
			for i := from; i < min(from+24, n); i++ {
				g := &state.Grant{
					ID: fmt.Sprintf("%x%063x", i%16, i), AccountID: account, Region: region, KeyID: id, IssuingAccount: account,
					Operations: []string{"Encrypt", "Decrypt"}, Grantee: state.Principal{ARN: to.ARN, ID: to.PrincipalID},
					Subset: []state.Pair{{Key: "tenant", Value: "x"}, {Key: "volume", Value: fmt.Sprint(i / 2)}},
				}
				if i%2 == 1 {
					g.Grantee = state.Principal{ARN: "arn:aws:iam::" + foreign + ":root", ID: fmt.Sprintf("AIDA%d", i)}
				}
				if err := kms.AddGrant(tx, g); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// TestConcurrentGrants lets many callers make and end the same grants, and then
// holds the indexes and numbers against the grants.
func TestConcurrentGrants(t *testing.T) {
	f := newFixture(t)
	users := []*call.Principal{f.user(foreign, "ann"), f.user(foreign, "bob"), f.user(account, "eve")}
	id, _ := f.create(m{})
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for n := range 40 {
				to := users[(i+n)%3]
				request := m{
					"KeyId": id, "GranteePrincipal": to.ARN, "Operations": []string{"Decrypt", "CreateGrant", "DescribeKey"},
					"Name": fmt.Sprintf("n%d", n%5), "RetiringPrincipal": users[n%3].ARN,
				}
				if n%4 == 0 {
					request["Constraints"] = subset("a", "1", "b", fmt.Sprint(n%3))
				}
				got, err := f.try("CreateGrant", encode(t, request))
				if err != nil {
					t.Error(err)
					continue
				}
				if n%3 == 0 {
					_, err = f.try("RevokeGrant", encode(t, m{"KeyId": id, "GrantId": got.text("GrantId")}))
				} else if n%3 == 1 {
					_, err = f.try("RetireGrant", encode(t, m{"GrantToken": got.text("GrantToken")}))
				}
				if err != nil && !strings.HasPrefix(err.Error(), "NotFoundException") {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	f.checkGrants(id)
	for _, g := range f.do("ListGrants", m{"KeyId": id, "Limit": 100}).list("Grants") {
		f.do("RevokeGrant", m{"KeyId": id, "GrantId": g.(map[string]any)["GrantId"]})
	}
	f.checkGrants(id)
	f.noGrants(id)
}

// checkGrants holds what leads to a key's grants against the grants.
func (f *fixture) checkGrants(id string) {
	f.Helper()
	key := []string{account, region, id}
	ids, byGrantee, counted := map[string]bool{}, map[string]int64{}, int64(0)
	scan(f, state.Grants, key, func(_ []string, g *state.Grant) {
		ids[g.ID] = true
		byGrantee[g.Grantee.ID]++
	})
	scan(f, state.Grantees, key, func(entry []string, g *state.Grantee) {
		if byGrantee[entry[3]] != g.Grants {
			f.Errorf("%s has %d grants, its record says %d", entry[3], byGrantee[entry[3]], g.Grants)
		}
		delete(byGrantee, entry[3])
	})
	scan(f, state.GranteeGrants, key, func(entry []string, _ *state.GranteeGrant) {
		if !ids[entry[6]] {
			f.Errorf("an entry of no grant: %v", entry)
		}
	})
	scan(f, state.GrantTwins, key, func(entry []string, twin *state.GrantTwin) {
		if !ids[twin.GrantID] {
			f.Errorf("a twin of no grant: %v", entry)
		}
	})
	retirable := 0
	scan(f, state.RetirableGrants, nil, func(entry []string, _ *state.RetirableGrant) {
		retirable++
		if !ids[entry[4]] {
			f.Errorf("a retirable grant that there is not: %v", entry)
		}
	})
	scan(f, state.GrantCounts, key, func(_ []string, c *state.Count) { counted += c.N })
	if counted != int64(len(ids)) || len(byGrantee) != 0 || retirable != len(ids) {
		f.Errorf("%d grants, %d counted, %d retirable, not counted by grantee: %v", len(ids), counted, retirable, byGrantee)
	}
}

// noGrants looks for records that grants of a key have left.
func (f *fixture) noGrants(id string) {
	f.Helper()
	for _, table := range []string{state.Grants.Name, state.Grantees.Name, state.GranteeGrants.Name, state.GrantTwins.Name,
		state.RetirableGrants.Name, state.GrantCounts.Name, state.GrantSweeps.Name} {
		err := f.node.View().Scan(fsm.NewKey(table), "", func(key fsm.Key, _ *fsm.Record) (bool, error) {
			if strings.Contains(string(key), id) {
				f.Errorf("%q is left", key)
			}
			return true, nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}

func scan[T any](f *fixture, table fsm.Table[T], prefix []string, each func([]string, *T)) {
	f.Helper()
	err := table.Scan(f.node.View(), prefix, nil, func(id []string, value *T) (bool, error) {
		each(id, value)
		return true, nil
	})
	if err != nil {
		f.Fatal(err)
	}
}
