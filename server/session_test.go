package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

const roleID = "AROAAAAAAAAAAAAAAAAAA"

// change commits a change of identities.
func (f *fixture) change(t *testing.T, run func(tx *fsm.Txn) error) {
	t.Helper()
	if _, err := f.node.Transact(context.Background(), "", run); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) putRole(t *testing.T) {
	t.Helper()
	account := f.root.AccountID
	f.change(t, func(tx *fsm.Txn) error {
		return errors.Join(
			state.Roles.Put(tx, &state.Role{AccountID: account, Name: "App", Path: "/x/", ID: roleID}, account, "app"),
			state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.RoleKind, Name: "app"}, roleID))
	})
}

func (f *fixture) session(t *testing.T, s *identity.Session) *identity.Temporary {
	t.Helper()
	s.AccountID, s.Issued, s.Expires = f.root.AccountID, f.now.UnixMilli(), f.now.Add(time.Hour).UnixMilli()
	temporary, err := f.identity.NewSession(context.Background(), f.node.View(), s)
	if err != nil {
		t.Fatal(err)
	}
	return temporary
}

// as calls Echo with temporary credentials.
func (f *fixture) as(t *testing.T, temporary *identity.Temporary) *answer {
	t.Helper()
	const body = `{"KeyID":"k"}`
	r := f.sign(t, f.root, "TrentService.Echo", body)
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: temporary.AccessKeyID, SecretAccessKey: string(temporary.Secret.Reveal()), SessionToken: temporary.Token,
	}, r, hex.EncodeToString(hash[:]), "kms", "us-east-1", f.now); err != nil {
		t.Fatal(err)
	}
	return f.send(t, r)
}

func TestRoleSession(t *testing.T) {
	f := newFixture(t)
	f.putRole(t)
	temporary := f.session(t, &identity.Session{IssuerID: roleID, Name: "ci", Source: f.root.AccessKeyID, SourceIdentity: "s"})
	if a := f.as(t, temporary); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	who, account := f.last(t).UserIdentity, f.root.AccountID
	if who.Type != "AssumedRole" || who.PrincipalID != roleID+":ci" || who.AccessKeyID != temporary.AccessKeyID ||
		who.ARN != "arn:aws:sts::"+account+":assumed-role/App/ci" || who.SessionContext == nil ||
		who.SessionContext.SessionIssuer.ARN != "arn:aws:iam::"+account+":role/x/App" || who.SessionContext.SourceIdentity != "s" {
		t.Errorf("recorded as %+v", who)
	}
}

func TestUserSession(t *testing.T) {
	f := newFixture(t)
	user, _, err := state.Users.Peek(f.node.View(), f.root.AccountID, "admin")
	if err != nil {
		t.Fatal(err)
	}
	temporary := f.session(t, &identity.Session{IssuerID: user.ID, Source: f.root.AccessKeyID})
	if a := f.as(t, temporary); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// TestSessionsEnd: with their time, and with all that they rest on.
func TestSessionsEnd(t *testing.T) {
	const expired, unknown = "ExpiredTokenException", "UnrecognizedClientException"
	for name, test := range map[string]struct {
		end  func(t *testing.T, f *fixture, s *identity.Temporary)
		want string
	}{
		"time": {func(_ *testing.T, f *fixture, _ *identity.Temporary) { f.now = f.now.Add(time.Hour) }, expired},
		"role deleted": {func(t *testing.T, f *fixture, _ *identity.Temporary) {
			f.change(t, func(tx *fsm.Txn) error {
				state.Roles.Delete(tx, f.root.AccountID, "app")
				state.Identities.Delete(tx, roleID)
				return nil
			})
		}, unknown},
		"role made again": {func(t *testing.T, f *fixture, _ *identity.Temporary) {
			f.change(t, func(tx *fsm.Txn) error {
				state.Identities.Delete(tx, roleID)
				return state.Roles.Put(tx, &state.Role{AccountID: f.root.AccountID, Name: "App", ID: "AROABBBBBBBBBBBBBBBBB"}, f.root.AccountID, "app")
			})
		}, unknown},
		"access key deactivated": {func(t *testing.T, f *fixture, _ *identity.Temporary) {
			f.change(t, func(tx *fsm.Txn) error {
				key, err := state.AccessKeys.Get(tx, f.root.AccessKeyID)
				if err != nil {
					return err
				}
				next := *key
				next.Active = false
				return state.AccessKeys.Put(tx, &next, key.ID)
			})
		}, unknown},
		"access key deleted": {func(t *testing.T, f *fixture, _ *identity.Temporary) {
			f.change(t, func(tx *fsm.Txn) error { state.AccessKeys.Delete(tx, f.root.AccessKeyID); return nil })
		}, unknown},
		"token altered": {func(_ *testing.T, _ *fixture, s *identity.Temporary) {
			s.Token = s.Token[:50] + string(s.Token[50]^1) + s.Token[51:]
		}, unknown},
		"token cut":     {func(_ *testing.T, _ *fixture, s *identity.Temporary) { s.Token = s.Token[:40] }, unknown},
		"no token":      {func(_ *testing.T, _ *fixture, s *identity.Temporary) { s.Token = "" }, unknown},
		"foreign key":   {func(_ *testing.T, f *fixture, s *identity.Temporary) { s.AccessKeyID = f.root.AccessKeyID }, unknown},
		"another's key": {func(_ *testing.T, _ *fixture, s *identity.Temporary) { s.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" }, unknown},
		"long token":    {func(_ *testing.T, _ *fixture, s *identity.Temporary) { s.Token += strings.Repeat("A", 20<<10) }, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.putRole(t)
			temporary := f.session(t, &identity.Session{IssuerID: roleID, Name: "ci", Source: f.root.AccessKeyID})
			if a := f.as(t, temporary); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			test.end(t, f, temporary)
			if a := f.as(t, temporary); a.status != 400 || a.Type != test.want {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
