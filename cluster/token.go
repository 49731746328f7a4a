package cluster

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
)

// token is what a join token says. As a string it is tokenPrefix and the
// base64url (RFC 4648 §5) of its CBOR.
type token struct {
	ID        string            `cbor:"1,keyasint"`
	Secret    []byte            `cbor:"2,keyasint"` // 32 random bytes
	Pin       [sha256.Size]byte `cbor:"3,keyasint"` // of the cluster CA, as pki.Pin
	Addresses []string          `cbor:"4,keyasint"` // of the cluster's nodes
}

const tokenPrefix = "cofre-join-1."

func (t *token) encode() (string, error) {
	b, err := fsm.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encoding a join token: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

func decodeToken(text string) (*token, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), tokenPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrToken, tokenPrefix)
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not whole", ErrToken)
	}
	t := new(token)
	if err := fsm.Unmarshal(b, t); err != nil || len(t.Addresses) == 0 {
		return nil, fmt.Errorf("%w: it is not whole", ErrToken)
	}
	return t, nil
}

// Token makes a one-time join token that pins the cluster's CA and names this
// cluster's nodes. The event is the ledger record of the act: it is written in
// the same transaction as the token's. The state keeps a hash of the secret.
func (n *Node) Token(ctx context.Context, lifetime time.Duration, event []byte) (text string, err error) {
	_, err = n.Transact(ctx, "", func(tx *fsm.Txn) (err error) {
		tx.SetEvent(event)
		text, err = n.NewToken(ctx, tx, lifetime)
		return err
	})
	return text, err
}

// NewToken is Token as a part of a transaction that its caller commits.
func (n *Node) NewToken(ctx context.Context, tx *fsm.Txn, lifetime time.Duration) (string, error) {
	var id [8]byte
	secret := make([]byte, 32)
	for _, b := range [][]byte{id[:], secret} {
		if err := n.cfg.Partition.Random(ctx, b); err != nil {
			return "", fmt.Errorf("making a join token: %w", err)
		}
	}
	t := &token{
		ID:        hex.EncodeToString(id[:]),
		Secret:    secret,
		Pin:       pki.Pin(n.CA()),
		Addresses: n.addresses(),
	}
	hash := sha256.Sum256(secret)
	if err := ticketTable.Put(tx, &ticket{Secret: hash[:], Expires: time.Now().Add(lifetime).UnixMilli()}, t.ID); err != nil {
		return "", fmt.Errorf("making a join token: %w", err)
	}
	return t.encode()
}

// check is nil where a joining node may use the ticket: it knows the secret, and
// either nobody has used it or the same partition has, in an attempt that did
// not finish.
func (t *ticket) check(secret []byte, identity [sha256.Size]byte, now time.Time) error {
	hash := sha256.Sum256(secret)
	switch {
	case t == nil, subtle.ConstantTimeCompare(hash[:], t.Secret) != 1:
		return fmt.Errorf("%w: it is unknown", ErrToken)
	case now.UnixMilli() >= t.Expires:
		return fmt.Errorf("%w: it has expired", ErrToken)
	case t.Spent != nil && string(t.Spent) != string(identity[:]):
		return fmt.Errorf("%w: it is spent", ErrToken)
	}
	return nil
}
