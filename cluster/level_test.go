package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

var (
	olderRelease = levels{1, 1}
	newerRelease = levels{1, 2}
	latest       = levels{2, 2}
)

// restart opens a node again with another release.
func (n *testNode) restart(release levels) {
	n.f.t.Helper()
	n.stop()
	n.cfg.levels = release
	n.open()
	n.f.await("the node to be ready", func() error { return n.node.Ready() })
}

// at awaits that nodes see the cluster at a level, and that a member announces one.
func (f *fixture) at(level fsm.Level, by *testNode, announced fsm.Level) {
	f.t.Helper()
	f.await(fmt.Sprintf("level %d, %s announcing %d", level, by.cfg.Name, announced), func() error {
		for _, n := range f.running() {
			if got, says := n.node.Level(), n.node.announced(by.cfg.Name); got != level || says != announced {
				return fmt.Errorf("%s: level %d, and %s announces %d", n.cfg.Name, got, by.cfg.Name, says)
			}
		}
		return nil
	})
}

// TestRollingUpgrade: the level rises when the last member knows it, and not
// before; then no older release starts or joins.
func TestRollingUpgrade(t *testing.T) {
	f := newCluster(t, 3, func(c *Config) { c.levels = olderRelease })
	first, second, last := f.nodes[0], f.nodes[1], f.nodes[2]
	first.restart(newerRelease)
	second.restart(newerRelease)
	f.at(1, first, 2)
	f.at(1, second, 2)
	second.restart(olderRelease) // until the level is raised there is a way back
	f.at(1, second, 1)
	second.restart(newerRelease)
	f.at(1, second, 2)
	f.leader().node.raise()
	f.at(1, last, 1)
	last.restart(newerRelease)
	f.at(2, last, 2)

	last.stop()
	last.cfg.levels = olderRelease
	if _, err := Open(f.ctx(), last.cfg); !errors.Is(err, ErrRelease) {
		t.Errorf("an older release: %v", err)
	}
	last.cfg.levels = latest
	last.open()
	f.await("the latest release", func() error { return last.node.Ready() })

	newcomer, token := f.add(), f.token(time.Hour)
	if err := Join(f.ctx(), newcomer.cfg, token); !errors.Is(err, ErrRelease) {
		t.Errorf("an older release joins: %v", err)
	}
	newcomer.cfg.levels = newerRelease
	newcomer.ok(Join(f.ctx(), newcomer.cfg, token), "Join with the same token")
	newcomer.open()
	f.await("the newcomer to vote", func() error { return newcomer.node.Ready() })
}

// TestTooEarly: a release that knows no such low level any more does not start.
func TestTooEarly(t *testing.T) {
	f := newCluster(t, 1, func(c *Config) { c.levels = olderRelease })
	n := f.nodes[0]
	n.stop()
	n.cfg.levels = latest
	if _, err := Open(f.ctx(), n.cfg); !errors.Is(err, ErrRelease) {
		t.Errorf("opened: %v", err)
	}
	n.cfg.levels = olderRelease
	n.open()
}

// TestLateReturnToAnOlderRelease: the level was raised while a node was down, and
// an older release is started there. Its state does not say so yet: the node ends
// when it does.
func TestLateReturnToAnOlderRelease(t *testing.T) {
	f := newCluster(t, 3, func(c *Config) { c.levels = olderRelease })
	holds, behind := f.nodes[1], f.nodes[2]
	f.nodes[0].restart(newerRelease)
	behind.restart(newerRelease)
	f.at(1, behind, 2)
	behind.stop()
	holds.restart(newerRelease)
	f.at(2, holds, 2)

	behind.cfg.levels = olderRelease
	behind.open()
	select {
	case err := <-behind.node.Failed():
		if !errors.Is(err, ErrRelease) {
			t.Errorf("ended with %v", err)
		}
	case <-f.ctx().Done():
		t.Error("runs on")
	}
	f.damaged[behind.cfg.Name] = true
}

// TestForeignCommands: a leader proposes no command that the cluster has not come
// to, or that it does not know itself.
func TestForeignCommands(t *testing.T) {
	f := newCluster(t, 1, nil)
	for _, command := range [][]byte{nil, {}, {0}, {255, 1, 2}} {
		if _, err := f.nodes[0].node.propose(f.ctx(), command); err == nil {
			t.Errorf("%v was proposed", command)
		}
	}
	if _, err := f.nodes[0].transact(f.ctx(), nil); err != nil {
		t.Error(err)
	}
}
