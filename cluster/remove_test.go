package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
)

// remove takes a member out, by a call on another node.
func (f *fixture) remove(n *testNode) {
	f.t.Helper()
	for _, other := range f.running() {
		if other != n {
			event := f.event()
			err := other.node.Remove(f.ctx(), n.cfg.Name, event)
			other.ok(err, "Remove")
			f.note(event, nil)
			return
		}
	}
}

// TestRemove: a member that is removed, whoever it is, has no part in the cluster
// any more, whatever it still holds; another node may take its name.
func TestRemove(t *testing.T) {
	for _, role := range []string{"follower", "leader", "dead"} {
		t.Run(role, func(t *testing.T) {
			f := newCluster(t, 3, nil)
			gone := f.follower()
			switch role {
			case "leader":
				gone = f.leader()
			case "dead":
				gone.stop()
			}
			f.remove(gone)
			f.damaged[gone.cfg.Name] = true // it hears nothing more, so it does not keep level
			if role != "dead" {
				f.banished(gone)
				gone.kill()
			}
			f.await("the others to have a leader", func() error { return f.running()[0].node.Ready() })
			for _, n := range f.running() {
				if _, err := n.transact(f.ctx(), nil); err != nil {
					t.Errorf("%s: %v", n.cfg.Name, err)
				}
				if members := n.node.Status().Members; len(members) != 2 {
					t.Errorf("%s knows %v", n.cfg.Name, members)
				}
			}
			f.replace(gone)
		})
	}
	t.Run("by a newcomer", func(t *testing.T) {
		f := newCluster(t, 3, nil)
		gone := f.follower()
		gone.stop()
		newcomer := f.join()
		event := f.event() // its state knows nothing of any member yet
		newcomer.ok(newcomer.node.Remove(f.ctx(), gone.cfg.Name, event), "Remove")
		f.note(event, nil)
	})
	for _, role := range []string{"follower", "leader"} {
		t.Run(role+", by itself", func(t *testing.T) {
			f := newCluster(t, 3, nil)
			gone := f.follower()
			if role == "leader" {
				gone = f.leader()
			}
			event := f.event()
			gone.ok(gone.node.Remove(f.ctx(), gone.cfg.Name, event), "Remove")
			f.note(event, nil)
			f.damaged[gone.cfg.Name] = true
			gone.kill()
			f.await("the others to have taken it out", func() error {
				for _, n := range f.running() {
					if members := n.node.Status().Members; len(members) != 2 {
						return fmt.Errorf("%s knows %v", n.cfg.Name, members)
					}
				}
				return nil
			})
		})
	}
	t.Run("nobody", func(t *testing.T) {
		f := newCluster(t, 1, nil)
		if err := f.nodes[0].node.Remove(f.ctx(), "nobody", nil); !errors.Is(err, ErrNoMember) {
			t.Errorf("answered %v", err)
		}
	})
}

// TestNobodyKnowsAlone: a node that cannot know whether its state is the newest
// does not say that there is no such member, nor that a name is taken. It might
// have missed how the member came, or went.
func TestNobodyKnowsAlone(t *testing.T) {
	f := newCluster(t, 3, nil)
	alone := f.follower()
	token := f.token(time.Hour)
	var others []*testNode
	for _, n := range f.running() {
		if n != alone {
			others = append(others, n)
			n.stop()
		}
	}
	ctx, cancel := context.WithTimeout(f.ctx(), time.Second)
	defer cancel()
	if err := alone.node.Remove(ctx, "nobody", nil); err == nil || errors.Is(err, ErrNoMember) {
		t.Errorf("Remove answered %v", err)
	}
	namesake := f.stranger()
	namesake.cfg.Name = others[0].cfg.Name
	if err := Join(ctx, namesake.cfg, token); err == nil || errors.Is(err, ErrNameTaken) {
		t.Errorf("Join answered %v", err)
	}
	for _, n := range others {
		n.open()
	}
}

// banished checks that a removed node that still runs can do nothing.
func (f *fixture) banished(n *testNode) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx(), 200*time.Millisecond)
	defer cancel()
	if _, err := n.node.Transact(ctx, "c", func(*fsm.Txn) error { return nil }); err == nil {
		f.t.Error("a removed node commits")
	}
	for _, other := range f.running() {
		if other == n {
			continue
		}
		conn, err := n.node.port.dial(f.ctx(), pki.ProtocolNode, "", other.cfg.Advertise)
		if err == nil { // with TLS 1.3 the refusal comes with the first read
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil {
			f.t.Errorf("%s talks to a removed node", other.cfg.Name)
		}
	}
}

// replace joins a new node under the name of one that was removed.
func (f *fixture) replace(n *testNode) {
	f.t.Helper()
	n.ok(os.RemoveAll(n.cfg.DataDir), "RemoveAll")
	n.ok(Join(f.ctx(), n.cfg, f.token(time.Hour)), "Join")
	delete(f.damaged, n.cfg.Name)
	n.open()
	f.await("the new node to vote", func() error { return n.node.Ready() })
	if _, err := n.transact(f.ctx(), nil); err != nil {
		f.t.Errorf("the new node: %v", err)
	}
}

// TestReplacementOfAWrongClock: a node's clock was a year ahead once, so its
// batches have numbers of next year. The node that gets its name after it begins
// anew: the numbers are the member's and not the name's.
func TestReplacementOfAWrongClock(t *testing.T) {
	f := newCluster(t, 3, nil)
	gone := f.follower()
	gone.stop()
	_, err := home{gone.cfg.DataDir}.incarnate(time.Now().AddDate(1, 0, 0))
	gone.ok(err, "incarnate")
	gone.open()
	f.await("the node with the wrong clock", func() error { return gone.node.Ready() })
	if _, err := gone.transact(f.ctx(), nil); err != nil {
		t.Fatal(err)
	}
	gone.kill()
	f.remove(gone)
	f.replace(gone)
}
