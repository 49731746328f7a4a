package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// Session is what a session token says, sealed. It is kept nowhere: every node
// opens the token with the cluster's key for secrets. So a session cannot be
// listed or deleted, but it ends with what it rests on: the role or user that it
// acts for, and the access key that it was made with.
type Session struct {
	AccessKeyID    string     `cbor:"1,keyasint"` // ASIA…
	Secret         []byte     `cbor:"2,keyasint"`
	AccountID      string     `cbor:"3,keyasint"`
	IssuerID       string     `cbor:"4,keyasint"` // unique id of the role or user that it acts for
	Name           string     `cbor:"5,keyasint,omitempty"`
	Issued         int64      `cbor:"6,keyasint"` // Unix milliseconds
	Expires        int64      `cbor:"7,keyasint"` // Unix milliseconds
	Policies       []string   `cbor:"8,keyasint,omitempty"`
	Tags           []call.Tag `cbor:"9,keyasint,omitempty"`
	Transitive     []string   `cbor:"10,keyasint,omitempty"` // keys of the tags that go on to a session made from it
	Source         string     `cbor:"11,keyasint,omitempty"` // the long-term access key at the beginning
	SourceIdentity string     `cbor:"12,keyasint,omitempty"`
	Provider       string     `cbor:"13,keyasint,omitempty"`
	Subject        string     `cbor:"14,keyasint,omitempty"`
}

// ErrToken is returned for a text that is no session token of this cluster.
var ErrToken = errors.New("identity: no session token")

// A token is base64 of: version (1 byte, 1), nonce, sealed body.
const tokenVersion = 1

// maxToken bounds the tokens that are looked at, in characters.
const maxToken = 16 << 10

// tokenAAD is what a token is authenticated with besides itself.
const tokenAAD = "cofre session token v1"

// Temporary are temporary credentials.
type Temporary struct {
	AccessKeyID string
	Secret      Secret
	Token       string
	Expires     int64 // Unix milliseconds
}

// NewSession draws credentials for a session and seals its token. It writes
// nothing.
func (s *Service) NewSession(ctx context.Context, view fsm.View, session *Session) (*Temporary, error) {
	system, _, err := state.Systems.Peek(view, state.SystemID)
	if err != nil {
		return nil, err
	}
	if system == nil {
		return nil, errNotInitialized
	}
	draw := &ids{hsm: s.hsm}
	sealed := *session
	sealed.AccessKeyID = draw.temporary(ctx)
	secret := draw.secret(ctx)
	if draw.err != nil {
		return nil, draw.err
	}
	sealed.Secret = secret.Reveal()
	text, err := fsm.Marshal(&sealed)
	if err != nil {
		return nil, fmt.Errorf("encoding a session: %w", err)
	}
	defer clear(text)
	body, err := s.hsm.Encrypt(ctx, system.SecretsKey, text, []byte(tokenAAD))
	if err != nil {
		return nil, fmt.Errorf("sealing a session token: %w", err)
	}
	token := append([]byte{tokenVersion}, body.Nonce[:]...)
	token = append(token, body.Body...)
	return &Temporary{
		AccessKeyID: sealed.AccessKeyID, Secret: secret, Token: base64.StdEncoding.EncodeToString(token), Expires: session.Expires,
	}, nil
}

// OpenSession opens a session token. What is none, or of another cluster, is
// ErrToken. It does not look at the time.
func (s *Service) OpenSession(ctx context.Context, view fsm.View, token string) (*Session, error) {
	if len(token) > maxToken {
		return nil, ErrToken
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < 1+hsm.NonceSize+hsm.TagSize || raw[0] != tokenVersion {
		return nil, ErrToken
	}
	system, _, err := state.Systems.Peek(view, state.SystemID)
	if err != nil {
		return nil, err
	}
	if system == nil {
		return nil, errNotInitialized
	}
	sealed := hsm.Sealed{Derivation: hsm.DerivationXAES, Body: raw[1+hsm.NonceSize:]}
	copy(sealed.Nonce[:], raw[1:])
	text, err := s.hsm.Decrypt(ctx, system.SecretsKey, sealed, []byte(tokenAAD))
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, ErrToken
	}
	if err != nil {
		return nil, fmt.Errorf("opening a session token: %w", err)
	}
	defer clear(text)
	session := new(Session)
	if err := fsm.Unmarshal(text, session); err != nil {
		return nil, fmt.Errorf("decoding a session: %w", err)
	}
	return session, nil
}

// Resume answers who a session is now, nil where what it rests on is gone. It
// reads through tx, so the transaction commits only while that is still so.
func (s *Service) Resume(tx *fsm.Txn, session *Session) (*call.Principal, error) {
	if session.Source != "" {
		key, err := state.AccessKeys.Get(tx, session.Source)
		if err != nil || key == nil || !key.Active {
			return nil, err
		}
	}
	who, err := state.Identities.Get(tx, session.IssuerID)
	if err != nil || who == nil {
		return nil, err
	}
	if who.Kind == state.RoleKind {
		return resumeRole(tx, who, session)
	}
	return resumeUser(tx, who, session)
}

func resumeRole(tx *fsm.Txn, who *state.Identity, session *Session) (*call.Principal, error) {
	role, err := state.Roles.Get(tx, who.AccountID, who.Name)
	if err != nil || role == nil || role.ID != session.IssuerID {
		return nil, err
	}
	return &call.Principal{
		Type: "AssumedRole", AccountID: role.AccountID, PrincipalID: role.ID + ":" + session.Name,
		ARN:         "arn:aws:sts::" + role.AccountID + ":assumed-role/" + role.Name + "/" + session.Name,
		AccessKeyID: session.AccessKeyID,
		Session: session.describe(call.Issuer{
			Type: "Role", ID: role.ID, ARN: role.ARN(), AccountID: role.AccountID, Name: role.Name,
		}),
	}, nil
}

// resumeUser answers the user itself: what GetSessionToken makes is the user's
// with an end.
func resumeUser(tx *fsm.Txn, who *state.Identity, session *Session) (*call.Principal, error) {
	user, err := state.Users.Get(tx, who.AccountID, who.Name)
	if err != nil || user == nil || user.ID != session.IssuerID {
		return nil, err
	}
	return &call.Principal{
		Type: "IAMUser", AccountID: user.AccountID, ARN: user.ARN(), PrincipalID: user.ID, UserName: user.Name,
		AccessKeyID: session.AccessKeyID,
		Session: session.describe(call.Issuer{
			Type: "IAMUser", ID: user.ID, ARN: user.ARN(), AccountID: user.AccountID, Name: user.Name,
		}),
	}, nil
}

func (s *Session) describe(issuer call.Issuer) *call.Session {
	return &call.Session{
		Name: s.Name, Issuer: issuer, Issued: s.Issued, Policies: s.Policies, Tags: s.Tags, Transitive: s.Transitive, Source: s.Source, SourceIdentity: s.SourceIdentity,
		Provider: s.Provider, Subject: s.Subject,
	}
}

// Expired says whether a session is over.
func (s *Session) Expired(now time.Time) bool { return now.UnixMilli() >= s.Expires }

// IsTemporary says whether an access key id is of temporary credentials.
func IsTemporary(accessKeyID string) bool { return strings.HasPrefix(accessKeyID, "ASIA") }
