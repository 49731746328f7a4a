package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/sigv4"
	"github.com/cofre-kms/cofre/server/state"
)

// Identity is what the front end asks about access keys; *identity.Service is
// one.
type Identity interface {
	// Authenticate answers who an access key stands for, by reads that guard the
	// transaction; both nil where it stands for nobody.
	Authenticate(tx *fsm.Txn, accessKeyID string) (*call.Principal, *state.AccessKey, error)
	// OpenSession opens a session token, or answers identity.ErrToken.
	OpenSession(ctx context.Context, view fsm.View, token string) (*identity.Session, error)
	// Resume answers who a session is, by reads that guard the transaction; nil
	// where it is nobody any more.
	Resume(tx *fsm.Txn, session *identity.Session) (*call.Principal, error)
	// Secret opens the secret of an access key.
	Secret(ctx context.Context, view fsm.View, key *state.AccessKey) (identity.Secret, error)
}

// authenticator finds out whose request it is.
type authenticator struct {
	node     Node
	identity Identity
	verifier *sigv4.Verifier
	keys     *sigv4.Keys
	sessions *sessions
	now      func() time.Time
}

// caller is whose signature a request carries, by the record of the access key
// that it was verified under.
type caller struct {
	claim   *sigv4.Claim
	key     *state.AccessKey  // nil where there is a session
	session *identity.Session // nil where there is a key

	service call.Service // what a service says of itself
	behind  *caller      // whom a service calls for; nil where for itself
}

// account is whose quota of work the caller's requests count for.
func (c *caller) account() string {
	if c.behind != nil {
		return c.behind.account()
	}
	if c.session != nil {
		return c.session.AccountID
	}
	return c.key.AccountID
}

// unauthenticated is the refusal of a request that does not authenticate. It is
// no record's business.
type unauthenticated struct{ refusal *call.Error }

func (u *unauthenticated) Error() string { return u.refusal.Error() }

// errMoved is returned when the access key is no longer what the signature was
// verified under.
var errMoved = errors.New("server: credentials changed during the request")

// authenticate verifies the signature of a request to a service whose body has a
// SHA-256 hash.
func (a *authenticator) authenticate(ctx context.Context, r *http.Request, scope sigv4.Scope, hash [32]byte) (*caller, error) {
	claim, refusal := a.verifier.Claim(r, scope)
	if refusal != nil {
		return nil, &unauthenticated{refusal}
	}
	who, signingKey, err := a.credentials(ctx, claim)
	if err != nil {
		return nil, err
	}
	if refusal := claim.Verify(r, hash, signingKey); refusal != nil {
		return nil, &unauthenticated{refusal}
	}
	return who, a.forward(ctx, r, who)
}

// credentials finds what a claim says that it was signed with.
func (a *authenticator) credentials(ctx context.Context, claim *sigv4.Claim) (*caller, *sigv4.SigningKey, error) {
	if claim.Token != "" || identity.IsTemporary(claim.AccessKeyID) {
		return a.temporary(ctx, claim)
	}
	key, rev, err := a.find(ctx, claim.AccessKeyID)
	if err != nil {
		return nil, nil, err
	}
	if key == nil {
		return nil, nil, &unauthenticated{sigv4.ErrUnrecognized}
	}
	signingKey, err := a.signingKey(ctx, claim, key, rev)
	return &caller{claim: claim, key: key}, signingKey, err
}

// maxAccessKeyID is the longest access key id (AccessKey, IAM API reference). A
// longer one is not looked up: it is a stranger's text.
const maxAccessKeyID = 128

// find finds an active access key. One that this node does not know may have
// been made a moment ago elsewhere: the node catches up before it says no.
func (a *authenticator) find(ctx context.Context, id string) (*state.AccessKey, fsm.Rev, error) {
	if len(id) > maxAccessKeyID {
		return nil, 0, nil
	}
	key, rev, err := state.AccessKeys.Peek(a.node.View(), id)
	if err != nil || key != nil && key.Active {
		return key, rev, err
	}
	if plantedCredentials {
		return nil, 0, nil
	}
	if err := a.node.Sync(ctx); err != nil {
		return nil, 0, err
	}
	key, rev, err = state.AccessKeys.Peek(a.node.View(), id)
	if err != nil || key == nil || !key.Active {
		return nil, 0, err
	}
	return key, rev, nil
}

// signingKey answers the key of the claim's day, region and service. The HSM
// opens the secret once for each; the secret is then wiped.
func (a *authenticator) signingKey(ctx context.Context, claim *sigv4.Claim, key *state.AccessKey, rev fsm.Rev) (*sigv4.SigningKey, error) {
	if known := a.keys.Get(claim, uint64(rev)); known != nil {
		return known, nil
	}
	secret, err := a.identity.Secret(ctx, a.node.View(), key)
	if err != nil {
		return nil, err
	}
	defer clear(secret.Reveal())
	derived := sigv4.Derive(secret.Reveal(), claim)
	a.keys.Put(claim, uint64(rev), derived)
	return derived, nil
}

// confirm answers who the caller is, by reads that guard the transaction, and
// errMoved where the access key is not what the signature was verified under, or
// the account is closed.
func (a *authenticator) confirm(tx *fsm.Txn, who *caller) (*call.Principal, error) {
	principal, err := a.identify(tx, who)
	if err != nil {
		return nil, err
	}
	if principal.AccountID == "" { // of no account
		return principal, nil
	}
	account, err := state.Accounts.Get(tx, principal.AccountID)
	if err != nil {
		return nil, err
	}
	if account == nil || account.Closed != 0 {
		return nil, errMoved
	}
	return principal, nil
}

func (a *authenticator) identify(tx *fsm.Txn, who *caller) (*call.Principal, error) {
	if who.session != nil {
		principal, err := a.identity.Resume(tx, who.session)
		if err == nil && principal == nil {
			err = errMoved
		}
		return principal, err
	}
	principal, key, err := a.identity.Authenticate(tx, who.key.ID)
	if err != nil {
		return nil, err
	}
	if principal == nil || key != who.key && !sameSecret(key, who.key) {
		return nil, errMoved
	}
	if principal.Service != nil {
		return a.confirmService(tx, who, principal)
	}
	return principal, nil
}

func sameSecret(a, b *state.AccessKey) bool {
	return a.Secret.Nonce == b.Secret.Nonce && bytes.Equal(a.Secret.Body, b.Secret.Body)
}
