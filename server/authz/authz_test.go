package authz_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

const account = "111122223333"

// fixture is an account whose identities a test writes.
type fixture struct {
	*testing.T
	node *servertest.Node
	a    *authz.Authorizer
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, node: servertest.New(t), a: authz.New()}
	f.write(func(tx *fsm.Txn) error { return f.user(tx, "AIDAALICE", "alice", nil) })
	return f
}

// write changes what IAM knows, and so touches the directory.
func (f *fixture) write(run func(tx *fsm.Txn) error) {
	f.Helper()
	_, err := f.node.Transact(f.Context(), account, func(tx *fsm.Txn) error {
		return errors.Join(run(tx), state.Directories.Put(tx, &state.Directory{}, account))
	})
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) user(tx *fsm.Txn, id, name string, change func(*state.User)) error {
	u := &state.User{AccountID: account, Name: name, Path: "/", ID: id}
	if change != nil {
		change(u)
	}
	return errors.Join(state.Users.Put(tx, u, account, name),
		state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.UserKind, Name: name}, id))
}

func alice() *call.Principal {
	return &call.Principal{Type: "IAMUser", AccountID: account, ARN: "arn:aws:iam::" + account + ":user/alice",
		PrincipalID: "AIDAALICE", UserName: "alice"}
}

// session is a session of the role Web.
func session(policies ...string) *call.Principal {
	return &call.Principal{Type: "AssumedRole", AccountID: account, PrincipalID: "AROAWEB:s1",
		ARN: "arn:aws:sts::" + account + ":assumed-role/Web/s1",
		Session: &call.Session{Name: "s1", Issued: 1786401507000, Policies: policies, Tags: []call.Tag{{Key: "Team", Value: "red"}},
			Issuer: call.Issuer{Type: "Role", ID: "AROAWEB", ARN: "arn:aws:iam::" + account + ":role/app/Web", AccountID: account, Name: "Web"}}}
}

// allows says whether a principal may take an action that concerns no resource.
func (f *fixture) allows(p *call.Principal, action string) bool {
	f.Helper()
	tx := fsm.NewTxn(f.node.View())
	who, err := f.a.Caller(tx, p)
	if err != nil {
		f.Fatal(err)
	}
	return who.Decide(&policy.Request{Action: action, Resource: "*", Account: account}, nil, nil).Outcome == policy.Allow
}

func (f *fixture) expect(p *call.Principal, allowed string, denied string) {
	f.Helper()
	for _, action := range strings.Fields(allowed) {
		if !f.allows(p, action) {
			f.Errorf("%s is not allowed", action)
		}
	}
	for _, action := range strings.Fields(denied) {
		if f.allows(p, action) {
			f.Errorf("%s is allowed", action)
		}
	}
}

func allow(actions string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` + strings.Join(strings.Fields(actions), `","`) + `"],"Resource":"*"}}`
}

func putInline(tx *fsm.Txn, id, name, text string) error {
	return state.InlinePolicies.Put(tx, &state.InlinePolicy{Name: name, Text: text}, account, id, name)
}

func attach(tx *fsm.Txn, id, arn string) error {
	return state.Attachments.Put(tx, &state.Attachment{ARN: arn}, account, id, arn)
}

// putPolicy writes a managed policy whose version in force is the last of texts.
func putPolicy(tx *fsm.Txn, name string, texts ...string) error {
	p := &state.Policy{AccountID: account, Name: name, Path: "/", ID: "ANPA" + name, Default: len(texts)}
	err := state.Policies.Put(tx, p, account, strings.ToLower(name))
	for i, text := range texts {
		err = errors.Join(err, state.PolicyVersions.Put(tx, &state.PolicyVersion{Text: text}, account, strings.ToLower(name), fmt.Sprintf("%08d", i+1)))
	}
	return err
}

const ofAccount = "arn:aws:iam::" + account + ":policy/"

// TestCallerHasItsPolicies goes through all places that policies come from, each
// change being seen at once.
func TestCallerHasItsPolicies(t *testing.T) {
	f := newFixture(t)
	f.expect(alice(), "", "kms:A kms:B kms:C kms:D kms:E")
	f.write(func(tx *fsm.Txn) error { return putInline(tx, "AIDAALICE", "p", allow("kms:A")) })
	f.expect(alice(), "kms:A", "kms:B")
	f.write(func(tx *fsm.Txn) error {
		return errors.Join(putPolicy(tx, "Mine", allow("kms:X"), allow("kms:B")), attach(tx, "AIDAALICE", ofAccount+"Mine"))
	})
	f.expect(alice(), "kms:A kms:B", "kms:X kms:C")
	f.write(func(tx *fsm.Txn) error {
		return errors.Join(putInline(tx, "AGPAOPS", "g", allow("kms:C")), putPolicy(tx, "Ops", allow("kms:D")), attach(tx, "AGPAOPS", ofAccount+"Ops"))
	})
	f.expect(alice(), "kms:A", "kms:C kms:D")
	f.write(func(tx *fsm.Txn) error {
		return state.UserGroups.Put(tx, &state.Membership{}, account, "AIDAALICE", "AGPAOPS")
	})
	f.expect(alice(), "kms:A kms:B kms:C kms:D", "kms:E")
	f.write(func(tx *fsm.Txn) error { return putPolicy(tx, "Ops", allow("kms:D"), allow("kms:E")) }) // another version
	f.expect(alice(), "kms:C kms:E", "kms:D")
	f.write(func(tx *fsm.Txn) error {
		return putInline(tx, "AGPAOPS", "g", `{"Statement":{"Effect":"Deny","Action":"kms:A","Resource":"*"}}`)
	})
	f.expect(alice(), "kms:B", "kms:A kms:C")
	f.write(func(tx *fsm.Txn) error { return attach(tx, "AIDAALICE", managed.AdministratorAccess) })
	f.expect(alice(), "kms:B kms:Z iam:Any", "kms:A")
	f.write(func(tx *fsm.Txn) error {
		return errors.Join(putPolicy(tx, "Bound", allow("kms:A kms:B kms:E")),
			f.user(tx, "AIDAALICE", "alice", func(u *state.User) { u.Boundary = ofAccount + "Bound" }))
	})
	f.expect(alice(), "kms:B kms:E", "kms:A kms:Z")
	f.write(func(tx *fsm.Txn) error {
		state.Attachments.Delete(tx, account, "AIDAALICE", managed.AdministratorAccess)
		state.UserGroups.Delete(tx, account, "AIDAALICE", "AGPAOPS")
		return nil
	})
	f.expect(alice(), "kms:A kms:B", "kms:E")
	namesake := alice()
	namesake.PrincipalID = "AIDAALICE2"
	f.expect(namesake, "", "kms:A kms:B")
	root := &call.Principal{Type: "Root", AccountID: account, ARN: "arn:aws:iam::" + account + ":root", PrincipalID: account}
	f.expect(root, "kms:A kms:Z", "")
}

// TestSessions: what a session may do is its role's, as far as session policies
// go.
func TestSessions(t *testing.T) {
	f := newFixture(t)
	f.expect(session(), "", "kms:A")
	f.write(func(tx *fsm.Txn) error {
		r := &state.Role{AccountID: account, Name: "Web", Path: "/app/", ID: "AROAWEB", Boundary: ofAccount + "Bound"}
		return errors.Join(putInline(tx, "AROAWEB", "p", allow("kms:A kms:B kms:C")), putPolicy(tx, "Bound", allow("kms:A kms:B")),
			state.Roles.Put(tx, r, account, "web"),
			state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.RoleKind, Name: "web"}, r.ID))
	})
	f.expect(session(), "kms:A kms:B", "kms:C")
	f.expect(session(allow("kms:A kms:Z")), "kms:A", "kms:B kms:Z")
	f.expect(session(allow("kms:A"), allow("kms:B")), "kms:A kms:B", "kms:C")
	// What a user makes with GetSessionToken is the user.
	f.write(func(tx *fsm.Txn) error { return putInline(tx, "AIDAALICE", "p", allow("kms:A")) })
	own := alice()
	own.Session = &call.Session{Issuer: call.Issuer{Type: "IAMUser", ID: own.PrincipalID, ARN: own.ARN, AccountID: account, Name: "alice"}}
	f.expect(own, "kms:A", "kms:B")
}

// TestMissingPolicyIsAnError: a policy that is attached and is not there might
// have denied.
func TestMissingPolicyIsAnError(t *testing.T) {
	f := newFixture(t)
	for _, arn := range []string{ofAccount + "Nothing", "arn:aws:iam::aws:policy/Nothing"} {
		f.write(func(tx *fsm.Txn) error { return attach(tx, "AIDAALICE", arn) })
		if _, err := f.a.Caller(fsm.NewTxn(f.node.View()), alice()); err == nil || !strings.Contains(err.Error(), arn) {
			t.Errorf("%s: %v", arn, err)
		}
		f.write(func(tx *fsm.Txn) error { state.Attachments.Delete(tx, account, "AIDAALICE", arn); return nil })
	}
}

// TestDirectoryGuardsDecisions: a decision that rests on what IAM knew conflicts
// once it has changed.
func TestDirectoryGuardsDecisions(t *testing.T) {
	f := newFixture(t)
	for range 2 { // also of what is in the cache
		tx := fsm.NewTxn(f.node.View())
		if _, err := f.a.Caller(tx, alice()); err != nil {
			t.Fatal(err)
		}
		if holds, err := tx.Holds(f.node.View()); err != nil || !holds {
			t.Errorf("without a change: %v, %v", holds, err)
		}
		f.write(func(tx *fsm.Txn) error { return putInline(tx, "AGPAOTHER", "p", allow("kms:A")) })
		if holds, err := tx.Holds(f.node.View()); err != nil || holds {
			t.Errorf("after a change: %v, %v", holds, err)
		}
	}
}

func TestGlobalConditionKeys(t *testing.T) {
	f := newFixture(t)
	f.write(func(tx *fsm.Txn) error {
		return errors.Join(
			f.user(tx, "AIDAALICE", "alice", func(u *state.User) { u.Tags = []state.Tag{{Key: "Team", Value: "blue"}} }),
			state.Roles.Put(tx, &state.Role{AccountID: account, Name: "Web", Path: "/app/", ID: "AROAWEB",
				Tags: []state.Tag{{Key: "Team", Value: "blue"}, {Key: "Cost", Value: "7"}}}, account, "web"),
			state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.RoleKind, Name: "web"}, "AROAWEB"))
	})
	c := &call.Call{Time: time.Date(2026, 8, 10, 22, 38, 27, 0, time.UTC), Region: "eu-central-1", SourceIP: "192.0.2.1", UserAgent: "test"}
	secure := *c
	secure.TLS = &ledger.TLSDetails{}
	for _, test := range []struct {
		who  *call.Principal
		call *call.Call
		key  string
		want string
	}{
		{alice(), c, "aws:username", "alice"},
		{alice(), c, "aws:userid", "AIDAALICE"},
		{alice(), c, "aws:principalarn", "arn:aws:iam::" + account + ":user/alice"},
		{alice(), c, "aws:principalaccount", account},
		{alice(), c, "aws:principaltype", "User"},
		{alice(), c, "aws:principaltag/team", "blue"},
		{alice(), c, "aws:principaltag/cost", ""},
		{alice(), c, "aws:currenttime", "2026-08-10T22:38:27Z"},
		{alice(), c, "aws:epochtime", "1786401507"},
		{alice(), c, "aws:requestedregion", "eu-central-1"},
		{alice(), c, "aws:sourceip", "192.0.2.1"},
		{alice(), c, "aws:useragent", "test"},
		{alice(), c, "aws:securetransport", "false"},
		{alice(), &secure, "aws:securetransport", "true"},
		{alice(), c, "aws:multifactorauthpresent", ""},
		{alice(), c, "aws:tokenissuetime", ""},
		{alice(), c, "aws:nothing", ""},
		{alice(), c, "kms:viaservice", ""},
		{session(), c, "aws:username", ""},
		{session(), c, "aws:userid", "AROAWEB:s1"},
		{session(), c, "aws:principalarn", "arn:aws:iam::" + account + ":role/app/Web"},
		{session(), c, "aws:principaltype", "AssumedRole"},
		{session(), c, "aws:principaltag/team", "red"},
		{session(), c, "aws:principaltag/cost", "7"},
		{session(), c, "aws:multifactorauthpresent", "false"},
		{session(), c, "aws:tokenissuetime", "2026-08-10T22:38:27Z"},
	} {
		who, err := f.a.Caller(fsm.NewTxn(f.node.View()), test.who)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(who.Global(test.call, test.key), " "); got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.key, test.who.ARN, got, test.want)
		}
	}
}

// TestKeyPolicies: the default policy, a policy of a key's own with the ids that
// are stored beside it, and another one after it.
func TestKeyPolicies(t *testing.T) {
	f := newFixture(t)
	k := &state.Key{AccountID: account, Region: "eu-central-1", ID: "k"}
	statements := func(key *state.Key) string {
		d, err := f.a.KeyPolicy(f.node.View(), account, key)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(d.Statements(), d.Principals())
	}
	for _, key := range []*state.Key{nil, k} {
		if got := statements(key); got != "1 []" {
			t.Errorf("the default policy has %s", got)
		}
	}
	for i, arn := range []string{alice().ARN, "arn:aws:iam::" + account + ":role/app/Web"} {
		text := `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":"kms:*","Resource":"*"}]}`
		f.write(func(tx *fsm.Txn) error {
			return state.KeyPolicies.Put(tx, &state.KeyPolicy{Text: text, IDs: map[string]string{arn: fmt.Sprint("ID", i)}}, account, "eu-central-1", "k")
		})
		for range 2 {
			if got := statements(k); got != "1 ["+arn+"]" {
				t.Errorf("the policy has %s", got)
			}
		}
	}
	f.write(func(tx *fsm.Txn) error {
		return state.KeyPolicies.Put(tx, &state.KeyPolicy{Text: "{"}, account, "eu-central-1", "k")
	})
	if _, err := f.a.KeyPolicy(f.node.View(), account, k); err == nil {
		t.Error("a policy that cannot be read gives no error")
	}
}
