package kms

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

const (
	// maxRest is how long the steward waits at most before it looks at its agendas
	// again: an entry that is due at once, or a change of the clock, is noticed
	// within it. A look is one seek for each agenda.
	maxRest = time.Second
	// retryRest is how long it waits after a failure.
	retryRest = time.Second
)

// duty is one kind of work that time causes. Its agenda is a table whose
// identifiers begin with when (state.DueTime), account, region and key.
type duty struct {
	doing, done string // for the log: "deleting a key", "key deleted"
	// next answers the first entry of the agenda, nil where it is empty.
	next func(view fsm.View) (entry []string, err error)
	// do does what an entry asks for and removes the entry. An entry that is out of
	// date is only removed.
	do func(ctx context.Context, tx *fsm.Txn, entry []string, now time.Time) error
}

// duties are all that the steward does.
func (s *Service) duties() []duty {
	return []duty{
		{doing: "deleting a key", done: "key deleted", next: first(state.Deletions), do: deleteKey},
		{doing: "removing the grants of a deleted key", done: "grants removed", next: first(state.GrantSweeps), do: sweepGrants},
		{doing: "rotating a key", done: "key rotated", next: first(state.Rotations), do: s.rotateDue},
		{doing: "recording what was done to a key", done: "record written", next: first(state.Announcements), do: publish},
		{doing: "deleting expired key material", done: "expired key material deleted", next: first(state.Expirations), do: expireMaterial},
	}
}

// Steward does the work that time causes: it deletes the keys whose window has
// ended and then their grants, and imported material that has expired, rotates the
// keys whose period has ended, and writes the records that are owed.
// It runs until ctx is done and then returns its error; the caller runs
// it while the node leads. All it does are transactions, so two stewards, or one
// that is stopped anywhere, do no harm.
func (s *Service) Steward(ctx context.Context, node Transactor, now func() time.Time) error {
	for {
		rest := maxRest
		for _, d := range s.duties() {
			due, err := s.fulfil(ctx, d, node, now)
			if err != nil {
				s.cfg.Logger.Warn(d.doing, "error", err)
				due = retryRest
			}
			rest = min(rest, due)
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// fulfil does everything of a duty that is due and answers how long the next
// entry has.
func (s *Service) fulfil(ctx context.Context, d duty, node Transactor, now func() time.Time) (time.Duration, error) {
	for ctx.Err() == nil {
		entry, err := d.next(node.View())
		if err != nil || entry == nil {
			return maxRest, err
		}
		ms, err := strconv.ParseInt(entry[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading an agenda: %w", err)
		}
		if rest := time.UnixMilli(ms).Sub(now()); rest > 0 {
			return rest, nil
		}
		account, region, key := entry[1], entry[2], entry[3]
		_, err = node.Transact(ctx, account, func(tx *fsm.Txn) error { return d.do(ctx, tx, entry, now()) })
		if err != nil {
			return 0, fmt.Errorf("%s: key %s of account %s in %s: %w", d.doing, key, account, region, err)
		}
		s.cfg.Logger.Info(d.done, "account", account, "region", region, "key", key)
	}
	return 0, ctx.Err()
}

// first answers the first entry of an agenda.
func first[T any](agenda fsm.Table[T]) func(fsm.View) ([]string, error) {
	return func(view fsm.View) (entry []string, err error) {
		err = agenda.Scan(view, nil, nil, func(found []string, _ *T) (bool, error) {
			entry = slices.Clone(found)
			return false, nil
		})
		return entry, err
	}
}
