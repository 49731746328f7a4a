package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
)

// removeTimeout bounds one change of the Raft configuration by the overseer.
const removeTimeout = 5 * time.Second

// Remove takes a member out of the cluster, for good: from the moment its record
// is written no node talks to it, and its certificate opens nothing any more. It
// returns when the member has left the Raft configuration too; then the name is
// free for another node. A node that removes itself hears no more of that, so it
// returns when the record is written. The event is the ledger record of the act. Whether
// the members that are left have a quorum is for the operator to know.
func (n *Node) Remove(ctx context.Context, name string, event []byte) error {
	err := n.banish(ctx, name, event)
	if errors.Is(err, ErrNoMember) {
		// The member may be younger than this node's state.
		if err = n.Sync(ctx); err == nil {
			err = n.banish(ctx, name, event)
		}
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	if name == n.who.Name {
		return nil
	}
	return n.awaitGone(ctx, name)
}

// banish writes the record of a removal.
func (n *Node) banish(ctx context.Context, name string, event []byte) error {
	_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
		tx.SetEvent(event)
		return n.Expel(tx, name)
	})
	return err
}

// Expel is Remove as a part of a transaction that its caller commits. The leader
// takes the member out of the Raft configuration soon after. It answers
// ErrNoMember where there is none, or none any more.
func (n *Node) Expel(tx *fsm.Txn, name string) error {
	m, err := memberTable.Get(tx, name)
	switch {
	case err != nil:
		return err
	case m == nil || m.Gone:
		return fmt.Errorf("%w: %s", ErrNoMember, name)
	}
	removed := *m
	removed.Removed = time.Now().UnixMilli()
	return memberTable.Put(tx, &removed, name)
}

// awaitGone returns when this node's state says that a removed member has left
// the Raft configuration.
func (n *Node) awaitGone(ctx context.Context, name string) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		m, _, err := memberTable.Peek(n.store, name)
		if err != nil {
			return fmt.Errorf("looking up a member: %w", err)
		}
		if m == nil || m.Gone {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is removed and has not left the Raft configuration yet: %w", name, ctx.Err())
		case <-n.fate.ended:
			return n.fate.check()
		}
	}
}

// expel takes removed members out of the Raft configuration and then says so in
// their records. That transaction stands behind the change in this leader's log:
// where it is committed, so is the change.
func (n *Node) expel() {
	for _, m := range n.leavers() {
		ctx, cancel := context.WithTimeout(n.ctx, removeTimeout)
		err := n.expelOne(ctx, m)
		cancel()
		if err != nil {
			n.logger.Warn("cannot take a removed member out yet", "name", m.Name, "error", err)
			continue
		}
		n.logger.Info("took a removed member out", "name", m.Name)
	}
}

// leavers are the removed members that may be in the Raft configuration.
func (n *Node) leavers() []*member {
	var leavers []*member
	err := memberTable.Scan(n.store, nil, nil, func(_ []string, m *member) (bool, error) {
		if m.Removed != 0 && !m.Gone {
			leavers = append(leavers, m)
		}
		return true, nil
	})
	if err != nil {
		n.logger.Error("cannot read the members", "error", err)
	}
	return leavers
}

func (n *Node) expelOne(ctx context.Context, m *member) error {
	if _, present := n.server(m.Name); present {
		if err := n.raft.RemoveServer(raft.ServerID(m.Name), 0, removeTimeout).Error(); err != nil {
			return fmt.Errorf("changing the Raft configuration: %w", err)
		}
	}
	_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
		now, err := memberTable.Get(tx, m.Name)
		if err != nil || now == nil || now.ID != m.ID {
			return err
		}
		gone := *now
		gone.Gone = true
		return memberTable.Put(tx, &gone, m.Name)
	})
	return err
}
