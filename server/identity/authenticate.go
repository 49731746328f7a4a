package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// Authenticate answers who an access key stands for and the key's record, both
// nil where the key, its user or its account does not exist or is not active. It
// reads through tx, so the transaction commits only while that is still so.
func (s *Service) Authenticate(tx *fsm.Txn, accessKeyID string) (*call.Principal, *state.AccessKey, error) {
	key, err := state.AccessKeys.Get(tx, accessKeyID)
	if err != nil || key == nil || !key.Active && !plantedStatus {
		return nil, nil, err
	}
	if key.Service != "" {
		return asService(key), key, nil
	}
	user, err := state.Users.Get(tx, key.AccountID, strings.ToLower(key.UserName))
	if err != nil || user == nil || user.ID != key.UserID { // another user of that name is somebody else
		return nil, nil, err
	}
	account, err := state.Accounts.Get(tx, key.AccountID)
	if err != nil || account == nil {
		return nil, nil, err
	}
	return &call.Principal{
		Type: "IAMUser", AccountID: account.ID, ARN: user.ARN(), PrincipalID: user.ID, UserName: user.Name, AccessKeyID: key.ID,
	}, key, nil
}

// Secret opens the secret of an access key.
func (s *Service) Secret(ctx context.Context, view fsm.View, key *state.AccessKey) (Secret, error) {
	system, _, err := state.Systems.Peek(view, state.SystemID)
	if err != nil {
		return Secret{}, err
	}
	if system == nil {
		return Secret{}, errNotInitialized
	}
	secret, err := s.hsm.Decrypt(ctx, system.SecretsKey, key.Secret, []byte(key.ID))
	if err != nil {
		return Secret{}, fmt.Errorf("opening the secret of %s: %w", key.ID, err)
	}
	return Secret{secret}, nil
}
