package kms

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

const (
	// maxRest is how long the steward waits at most before it looks at its agenda
	// again: a change of the clock is noticed within it. New entries need no hurry,
	// the shortest window being seven days.
	maxRest = time.Minute
	// retryRest is how long it waits after a failure.
	retryRest = time.Second
)

// Steward does the work that time causes: it deletes the keys whose window has
// ended. It runs until ctx is done and then returns its error; the caller runs
// it while the node leads. All it does are transactions, so two stewards, or one
// that is stopped anywhere, do no harm.
func (s *Service) Steward(ctx context.Context, node Transactor, now func() time.Time) error {
	for {
		rest, err := s.deleteDue(ctx, node, now)
		if err != nil {
			s.cfg.Logger.Warn("deleting keys whose window has ended", "error", err)
			rest = retryRest
		}
		timer := time.NewTimer(min(rest, maxRest))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// deleteDue deletes every key that is due and answers how long the next one has.
func (s *Service) deleteDue(ctx context.Context, node Transactor, now func() time.Time) (time.Duration, error) {
	for ctx.Err() == nil {
		id, due, err := nextDeletion(node.View())
		if err != nil {
			return 0, err
		}
		if id == nil {
			return maxRest, nil
		}
		if rest := due.Sub(now()); rest > 0 {
			return rest, nil
		}
		account, region, key := id[1], id[2], id[3]
		_, err = node.Transact(ctx, account, func(tx *fsm.Txn) error { return deleteKey(tx, id, now()) })
		if err != nil {
			return 0, fmt.Errorf("deleting key %s of account %s in %s: %w", key, account, region, err)
		}
		s.cfg.Logger.Info("key deleted", "account", account, "region", region, "key", key)
	}
	return 0, ctx.Err()
}

// nextDeletion answers the first entry of the agenda, nil where it is empty.
func nextDeletion(view fsm.View) (id []string, due time.Time, err error) {
	err = state.Deletions.Scan(view, nil, nil, func(found []string, _ *state.Deletion) (bool, error) {
		ms, err := strconv.ParseInt(found[0], 10, 64)
		id, due = slices.Clone(found), time.UnixMilli(ms)
		return false, err
	})
	return id, due, err
}

// deleteKey removes a key and all that it owns, and records that it did. An
// entry of the agenda whose key has none of it any more is only removed.
func deleteKey(tx *fsm.Txn, entry []string, now time.Time) error {
	k, err := state.Keys.Get(tx, entry[1:]...)
	if err != nil {
		return err
	}
	state.Deletions.Delete(tx, entry...)
	if k == nil || k.State != state.PendingDeletion || !slices.Equal(due(k), entry) {
		return nil
	}
	if err := deleteChildren(tx, k); err != nil {
		return err
	}
	state.Keys.Delete(tx, k.AccountID, k.Region, k.ID)
	event, err := deletionEvent(k, now)
	if err != nil {
		return err
	}
	tx.SetEvent(event)
	return nil
}

// deleteChildren removes what the key owns. The guarded read of the key covers
// the lists: what is added to them touches the key.
func deleteChildren(tx *fsm.Txn, k *state.Key) error {
	id := []string{k.AccountID, k.Region, k.ID}
	err := state.KeyMaterials.Scan(tx.View(), id, nil, func(id []string, _ *state.KeyMaterial) (bool, error) {
		state.KeyMaterials.Delete(tx, id...)
		return true, nil
	})
	if err != nil {
		return err
	}
	err = state.KeyAliases.Scan(tx.View(), id, nil, func(id []string, _ *state.KeyAlias) (bool, error) {
		state.KeyAliases.Delete(tx, id...)
		state.Aliases.Delete(tx, k.AccountID, k.Region, id[3])
		return true, nil
	})
	state.KeyTags.Delete(tx, id...)
	state.KeyPolicies.Delete(tx, id...)
	return err
}

// deletionDetails are the serviceEventDetails of DeleteKey.
type deletionDetails struct {
	KeyID string `json:"keyId"`
}

func deletionEvent(k *state.Key, now time.Time) ([]byte, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("drawing an event id: %w", err)
	}
	return record.Service(record.ServiceEvent{
		Service: "kms", Name: "DeleteKey", EventID: id.String(), Time: now, Region: k.Region, AccountID: k.AccountID,
		Resources: []ledger.Resource{{AccountID: k.AccountID, Type: keyResource, ARN: k.ARN()}},
		Details:   deletionDetails{KeyID: k.ID},
	})
}
