package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// backup makes one, by a node.
func (f *fixture) backup(n *testNode) []byte {
	f.t.Helper()
	var b bytes.Buffer
	event := f.event()
	n.ok(n.node.Backup(f.ctx(), event, &b), "Backup")
	f.note(event, nil)
	return b.Bytes()
}

// restore makes a cluster of one node from a backup, with a copy of the partition
// of an old one, and opens it.
func (f *fixture) restore(n *testNode, backup []byte) {
	f.t.Helper()
	event := f.event()
	status, err := Restore(f.ctx(), n.cfg, bytes.NewReader(backup), func(fsm.View) ([]byte, error) { return event, nil })
	n.ok(err, "Restore")
	if status.LedgerSize == 0 {
		f.t.Error("the backup has no records")
	}
	f.note(event, nil)
	n.open()
	f.await("the restored node", func() error { return n.node.Ready() })
}

// TestRestore: a new cluster goes on from a backup: with all that was acknowledged
// before, without its members and tokens, and with the same ledger.
func TestRestore(t *testing.T) {
	eachLogStore(t, func(t *testing.T, edit func(*Config)) {
		f := newCluster(t, 2, edit)
		old, other := f.nodes[0], f.nodes[1]
		key, err := old.partition.GenerateKey(f.ctx(), old.node.Generation(), hsm.SymmetricDefault)
		old.ok(err, "GenerateKey")
		sealed, err := old.partition.Encrypt(f.ctx(), key, []byte("hello"), nil)
		old.ok(err, "Encrypt")
		for range 20 {
			if _, err := other.transact(f.ctx(), increase("n")); err != nil {
				t.Fatal(err)
			}
		}
		unspent := f.token(time.Hour)
		backup := f.backup(other)
		before := old.node.store.Status()
		token, err := decodeToken(unspent)
		old.ok(err, "decodeToken")
		other.kill()
		old.stop()
		old.cfg.DataDir += "-restored"
		f.restore(old, backup) // the partition holds the domain key

		if got, err := old.partition.Decrypt(f.ctx(), key, sealed, nil); err != nil || string(got) != "hello" {
			t.Errorf("decrypted %q, %v", got, err)
		}
		after := old.node.store.Status()
		if after.LedgerSize <= before.LedgerSize || after.Applied <= before.Applied {
			t.Errorf("%+v became %+v", before, after)
		}
		if m, _, err := memberTable.Peek(old.node.store, other.cfg.Name); err != nil || !m.Gone {
			t.Errorf("an old member is %+v, %v", m, err)
		}
		if found, _, err := ticketTable.Peek(old.node.store, token.ID); err != nil || found != nil {
			t.Errorf("an old token is %+v, %v", found, err)
		}
		if s, _, err := settingsTable.Peek(old.node.store, theCluster); err != nil || s.Epoch != 1 {
			t.Errorf("settings are %+v, %v", s, err)
		}
		if _, err := old.transact(f.ctx(), increase("n")); err != nil {
			t.Error(err)
		}
		late := f.join()
		f.await("the newcomer", func() error { return late.node.Ready() })
		if _, err := late.transact(f.ctx(), increase("n")); err != nil {
			t.Error(err)
		}
		old.stop() // and what was restored starts again
		old.open()
		f.await("the restored node again", func() error { return old.node.Ready() })
	})
}

// TestRestoreRefuses: a damaged backup, another domain key, a directory in use. The
// directory is free for the next attempt where it was free before.
func TestRestoreRefuses(t *testing.T) {
	f := newCluster(t, 1, nil)
	n := f.nodes[0]
	backup := f.backup(n)
	stranger := f.add()
	event := func(fsm.View) ([]byte, error) { return f.event(), nil }
	try := func(backup []byte) error {
		_, err := Restore(f.ctx(), stranger.cfg, bytes.NewReader(backup), event)
		return err
	}
	flipped := bytes.Clone(backup)
	flipped[len(flipped)/2] ^= 1
	for name, damaged := range map[string][]byte{"empty": nil, "cut": backup[:len(backup)-1], "flipped": flipped} {
		if err := try(damaged); !errors.Is(err, fsm.ErrStream) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := try(backup); !errors.Is(err, hsm.ErrNoDomain) {
		t.Errorf("without the domain key: %v", err)
	}
	stranger.ok(stranger.partition.CreateDomain(f.ctx(), 1), "CreateDomain")
	if err := try(backup); err == nil {
		t.Error("restored with another domain key")
	}
	if _, err := Restore(f.ctx(), n.cfg, bytes.NewReader(backup), event); !errors.Is(err, ErrOccupied) {
		t.Errorf("into a directory in use: %v", err)
	}
	if _, err := Open(f.ctx(), stranger.cfg); !errors.Is(err, ErrNoNode) {
		t.Errorf("a restoration that failed opens: %v", err)
	}
}
