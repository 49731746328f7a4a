package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

type fixture struct {
	node *servertest.Node
	hsm  *servertest.HSM
	*identity.Service
	root *identity.Credentials
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{node: servertest.New(t), hsm: servertest.NewHSM(t)}
	f.Service = identity.New(identity.Config{HSM: f.hsm})
	f.transact(t, func(tx *fsm.Txn) (err error) {
		f.root, err = f.Genesis(context.Background(), tx, 1, "operators")
		return err
	})
	return f
}

func (f *fixture) transact(t *testing.T, run func(tx *fsm.Txn) error) {
	t.Helper()
	if _, err := f.node.Transact(context.Background(), "", run); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) authenticate(t *testing.T, keyID string) *call.Principal {
	t.Helper()
	principal, key, err := f.Authenticate(fsm.NewTxn(f.node.View()), keyID)
	if err != nil {
		t.Fatal(err)
	}
	if (principal == nil) != (key == nil) {
		t.Fatalf("principal %v, key %v", principal, key)
	}
	return principal
}

func TestGenesis(t *testing.T) {
	f := newFixture(t)
	for value, pattern := range map[string]string{
		f.root.AccountID: `^[1-9][0-9]{11}$`, f.root.AccessKeyID: `^AKIA[A-Z2-7]{16}$`,
		string(f.root.Secret.Reveal()): `^[A-Za-z0-9/+]{40}$`, f.root.AccountName: `^operators$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(value) {
			t.Errorf("%q does not match %s", value, pattern)
		}
	}
	system, _, err := state.Systems.Peek(f.node.View(), state.SystemID)
	if err != nil || system == nil || system.Operator != f.root.AccountID || system.Generation != 1 || len(system.ClusterID) != 36 {
		t.Errorf("system record is %+v, %v", system, err)
	}
	account, _, err := state.Accounts.Peek(f.node.View(), f.root.AccountID)
	if err != nil || account == nil || !account.Operator {
		t.Errorf("operator account is %+v, %v", account, err)
	}
	_, err = f.node.Transact(context.Background(), "", func(tx *fsm.Txn) error {
		_, err := f.Genesis(context.Background(), tx, 1, "again")
		return err
	})
	if !errors.Is(err, identity.ErrInitialized) {
		t.Errorf("a second genesis answers %v", err)
	}
}

func TestCreateAccount(t *testing.T) {
	f, ctx := newFixture(t), context.Background()
	var made *identity.Credentials
	f.transact(t, func(tx *fsm.Txn) (err error) {
		made, err = f.CreateAccount(ctx, tx, "tenant one")
		return err
	})
	principal := f.authenticate(t, made.AccessKeyID)
	want := call.Principal{
		Type: "IAMUser", AccountID: made.AccountID, ARN: "arn:aws:iam::" + made.AccountID + ":user/admin",
		UserName: "admin", AccessKeyID: made.AccessKeyID,
	}
	if principal == nil {
		t.Fatal("the new key is unknown")
	}
	if !regexp.MustCompile(`^AIDA[A-Z2-7]{17}$`).MatchString(principal.PrincipalID) {
		t.Errorf("the user's id is %s", principal.PrincipalID)
	}
	principal.PrincipalID = ""
	if *principal != want || made.UserARN != want.ARN {
		t.Errorf("principal is %+v", principal)
	}
	key, _, err := state.AccessKeys.Peek(f.node.View(), made.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := f.Secret(ctx, f.node.View(), key)
	if err != nil || string(secret.Reveal()) != string(made.Secret.Reveal()) {
		t.Errorf("the secret opens as %q, %v", secret.Reveal(), err)
	}
	if moved := *key; true {
		moved.ID = f.root.AccessKeyID
		if _, err := f.Secret(ctx, f.node.View(), &moved); err == nil {
			t.Error("a secret opens under another access key's id")
		}
	}
}

func TestNamesOfAccounts(t *testing.T) {
	f := newFixture(t)
	for name, ok := range map[string]bool{
		"a": true, "a b": true, strings.Repeat("x", 50): true,
		"": false, " a": false, strings.Repeat("x", 51): false, "ü": false, "a\nb": false,
	} {
		_, err := f.CreateAccount(context.Background(), fsm.NewTxn(f.node.View()), name)
		if refusal := (*call.Error)(nil); ok != (err == nil) || !ok && !errors.As(err, &refusal) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhoIsNobody(t *testing.T) {
	f := newFixture(t)
	account, keyID := f.root.AccountID, f.root.AccessKeyID
	for _, test := range []struct {
		name   string
		change func(tx *fsm.Txn) error
	}{
		{"unknown key", func(tx *fsm.Txn) error { state.AccessKeys.Delete(tx, keyID); return nil }},
		{"inactive key", func(tx *fsm.Txn) error {
			key, err := state.AccessKeys.Get(tx, keyID)
			if err != nil {
				return err
			}
			inactive := *key
			inactive.Active = false
			return state.AccessKeys.Put(tx, &inactive, keyID)
		}},
		{"no user", func(tx *fsm.Txn) error { state.Users.Delete(tx, account, "admin"); return nil }},
		{"another user of that name", func(tx *fsm.Txn) error {
			return state.Users.Put(tx, &state.User{AccountID: account, Name: "admin", ID: "AIDAOTHER", Path: "/"}, account, "admin")
		}},
		{"no account", func(tx *fsm.Txn) error { state.Accounts.Delete(tx, account); return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			tx := fsm.NewTxn(f.node.View())
			if principal, _, err := f.Authenticate(tx, keyID); err != nil || principal == nil {
				t.Fatalf("before: %v, %v", principal, err)
			}
			if err := test.change(tx); err != nil {
				t.Fatal(err)
			}
			if principal, key, err := f.Authenticate(tx, keyID); err != nil || principal != nil || key != nil {
				t.Errorf("is %+v, %v", principal, err)
			}
		})
	}
}

func TestFailuresOfTheHSM(t *testing.T) {
	f, ctx := newFixture(t), context.Background()
	failing := 1
	for ; ; failing++ {
		calls := 0
		f.hsm.Fail = func() error {
			if calls++; calls == failing {
				return fmt.Errorf("device gone")
			}
			return nil
		}
		_, err := f.CreateAccount(ctx, fsm.NewTxn(f.node.View()), "a")
		if calls < failing {
			break
		}
		if err == nil {
			t.Errorf("call %d failed and nobody noticed", failing)
		}
	}
	if failing < 5 {
		t.Errorf("only %d calls", failing-1)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	f := newFixture(t)
	secret := string(f.root.Secret.Reveal())
	printed := fmt.Sprintf("%v %+v %#v %s %d", f.root, *f.root, f.root.Secret, f.root.Secret, f.root.Secret)
	if strings.Contains(printed, secret) || !strings.Contains(printed, "redacted") {
		t.Error(printed)
	}
	if b, err := json.Marshal(f.root); err == nil {
		t.Errorf("encodes as %s", b)
	}
}
