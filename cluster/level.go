package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// levelTimeout bounds one transaction about feature levels; it is tried again.
const levelTimeout = 5 * time.Second

// Level is the cluster's feature level as this node's state has it; 0 where it
// has no state yet.
func (n *Node) Level() fsm.Level {
	s, _, err := settingsTable.Peek(n.store, theCluster)
	if err != nil || s == nil {
		return 0
	}
	return s.Level.OrFirst()
}

// levelOf reads the level through a transaction, which guards it.
func levelOf(tx *fsm.Txn) (fsm.Level, error) {
	s, err := settingsTable.Get(tx, theCluster)
	if err != nil || s == nil {
		return 0, err
	}
	return s.Level.OrFirst(), nil
}

// levels are the feature levels that a release knows.
type levels struct{ lowest, highest fsm.Level }

var releaseLevels = levels{fsm.LowestLevel, fsm.HighestLevel}

// fit is nil where the release can be a member of a cluster at a level; 0 is not
// known yet.
func (l levels) fit(level fsm.Level) error {
	switch {
	case level > l.highest:
		return fmt.Errorf("%w: the cluster is at %d and the release knows no more than %d; a newer one is needed", ErrRelease, level, l.highest)
	case level != 0 && level < l.lowest:
		return fmt.Errorf("%w: the cluster is at %d and the release needs %d; an older one is needed first, on all nodes",
			ErrRelease, level, l.lowest)
	}
	return nil
}

// levels are what the member's release knows.
func (m *member) levels() levels { return levels{m.Lowest.OrFirst(), m.Level.OrFirst()} }

func (m *member) announce(l levels) { m.Lowest, m.Level = l.lowest, l.highest }

// qualify is nil where this release can run this node.
func (n *Node) qualify(context.Context) error {
	return n.cfg.levels.fit(n.Level())
}

// keepLevel says which levels this node's release knows, and ends the node where
// the cluster's is none of them: its state was behind when it started.
func (n *Node) keepLevel() {
	check := func() {
		if err := n.qualify(n.ctx); err != nil {
			n.fail(err)
			return
		}
		if err := n.announceLevels(); err != nil {
			n.logger.Debug("cannot announce the feature levels yet", "error", err)
		}
	}
	check()
	every(n.ctx, n.cfg.Timing.Watch, nil, check)
}

// announceLevels writes the levels into the member's record where others stand
// there: a node that was upgraded, or goes back before the cluster's level was
// raised.
func (n *Node) announceLevels() error {
	m, _, err := memberTable.Peek(n.store, n.who.Name)
	if err != nil || !n.announces(m) {
		return err
	}
	ctx, cancel := context.WithTimeout(n.ctx, levelTimeout)
	defer cancel()
	_, err = n.Transact(ctx, "", func(tx *fsm.Txn) error {
		level, err := levelOf(tx)
		if err != nil {
			return err
		}
		if err := n.cfg.levels.fit(level); err != nil {
			return err
		}
		m, err := memberTable.Get(tx, n.who.Name)
		if err != nil || !n.announces(m) {
			return err
		}
		announced := *m
		announced.announce(n.cfg.levels)
		return memberTable.Put(tx, &announced, n.who.Name)
	})
	return err
}

// announces says whether a record is this member's and has other levels.
func (n *Node) announces(m *member) bool {
	return m != nil && m.ID == n.who.Member && m.levels() != n.cfg.levels
}

// announced is the highest level that a member knows, as far as this node's state
// says; 0 where it says nothing.
func (n *Node) announced(name string) fsm.Level {
	m, _, err := memberTable.Peek(n.store, name)
	if err != nil || m == nil {
		return 0
	}
	return m.Level.OrFirst()
}

// raise brings the cluster to the highest level that all its members know. It is
// a transaction over all of their records: one that is admitted, or announces
// another level, at the same time conflicts with it. The cluster never comes
// down again.
func (n *Node) raise() {
	if n.reachable(n.store) <= n.Level() {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, levelTimeout)
	defer cancel()
	var level fsm.Level
	_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
		s, err := settingsTable.Get(tx, theCluster)
		if err != nil || s == nil {
			return err
		}
		if level, err = n.guardMembers(tx); err != nil || level <= s.Level.OrFirst() {
			return err
		}
		raised := *s
		raised.Level = level
		return settingsTable.Put(tx, &raised, theCluster)
	})
	if err != nil {
		n.logger.Warn("cannot raise the feature level yet", "error", err)
		return
	}
	n.logger.Info("raised the cluster's feature level", "level", level)
}

// reachable is the highest level that all members know, 0 where none is known.
func (n *Node) reachable(view fsm.View) (level fsm.Level) {
	err := memberTable.Scan(view, nil, nil, func(_ []string, m *member) (bool, error) {
		level = lower(level, m)
		return true, nil
	})
	if err != nil {
		n.logger.Error("cannot read the members", "error", err)
		return 0
	}
	return level
}

// guardMembers is reachable, read through a transaction. Whoever is admitted
// meanwhile has read the settings that the transaction writes.
func (n *Node) guardMembers(tx *fsm.Txn) (level fsm.Level, err error) {
	var names []string
	err = memberTable.Scan(n.store, nil, nil, func(id []string, _ *member) (bool, error) {
		names = append(names, id[0])
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		m, err := memberTable.Get(tx, name)
		if err != nil {
			return 0, err
		}
		if m != nil {
			level = lower(level, m)
		}
	}
	return level, nil
}

// lower is the lower one of a level, 0 for none, and a member's.
func lower(level fsm.Level, m *member) fsm.Level {
	switch theirs := m.Level.OrFirst(); {
	case m.Removed != 0:
		return level
	case level == 0:
		return theirs
	default:
		return min(level, theirs)
	}
}

// permitted is nil where a command may be proposed at the cluster's level.
func (n *Node) permitted(command []byte) error {
	level, err := fsm.CommandLevel(command)
	if err != nil {
		return err
	}
	if own := n.Level().OrFirst(); level > own {
		return fmt.Errorf("cluster: the command is of feature level %d, the cluster at %d", level, own)
	}
	return nil
}
