package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
)

// Restore makes a cluster of one node in an empty data directory from a stream of
// Backup. The node's partition has to hold the domain key of the backup. The
// ledger goes on from the backup, in a new epoch: nodes may have signed more than
// it holds. Of the members that the backup knows none is left, so none of the old
// cluster's nodes talks to the new one, and join tokens are void; others join as
// always. event makes the ledger record of the act from the restored state. It
// fails where the data directory holds a node already; one that a crash left
// unfinished is begun anew.
func Restore(ctx context.Context, cfg Config, backup io.Reader, event func(view fsm.View) ([]byte, error)) (fsm.Status, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return fsm.Status{}, err
	}
	h := home{cfg.DataDir}
	if err := h.claim(cfg); err != nil {
		return fsm.Status{}, fmt.Errorf("restoring the cluster: %w", err)
	}
	r := &restoring{cfg: cfg, home: h}
	err = r.install(ctx, backup)
	if err == nil {
		err = r.begin(ctx, event)
	}
	if err != nil {
		return fsm.Status{}, fmt.Errorf("restoring the cluster: %w", err)
	}
	r.who.Unfinished = false
	return r.status, h.save(r.who)
}

// restoring is a node in the making.
type restoring struct {
	cfg    Config
	home   home
	who    who
	member member
	status fsm.Status // of the backup
}

// install puts the backup in its place, and before Raft as a snapshot.
func (r *restoring) install(ctx context.Context, backup io.Reader) (err error) {
	store, err := fsm.Open(fsm.Config{Dir: r.home.state(), FS: r.cfg.Disk.FS()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Restore(backup); err != nil {
		return err
	}
	r.status = store.Status()
	if err := r.enter(ctx, store); err != nil {
		return err
	}
	if err := r.bootstrap(store); err != nil {
		return err
	}
	return r.home.save(r.who)
}

// enter makes the node's member record and certificate, with the CA's key that
// the partition unwraps.
func (r *restoring) enter(ctx context.Context, store *fsm.Store) error {
	s, _, err := settingsTable.Peek(store, theCluster)
	if err != nil {
		return err
	}
	if s == nil {
		return errors.New("cluster: the backup holds no cluster")
	}
	if err := r.cfg.levels.fit(s.Level.OrFirst()); err != nil {
		return err
	}
	if r.member, err = newMember(r.cfg.Name, r.cfg.Partition.Info().Serial, r.cfg.Partition.Identity().Public()); err != nil {
		return err
	}
	r.member.announce(r.cfg.levels)
	if before, _, err := memberTable.Peek(store, r.cfg.Name); err != nil {
		return err
	} else if before != nil {
		if err := r.member.succeed(before); err != nil {
			return err
		}
	}
	r.who = who{Name: r.cfg.Name, Member: r.member.ID, LogStore: r.cfg.LogStore, Unfinished: true}
	return r.certify(ctx, store)
}

func (r *restoring) certify(ctx context.Context, store *fsm.Store) error {
	authority, err := authorityOf(ctx, store, r.cfg.Partition)
	if err != nil {
		return err
	}
	key, err := pki.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	cert, err := authority.Node(key.Public(), pki.Identity{Name: r.member.Name, Member: r.member.ID}, time.Now())
	if err != nil {
		return fmt.Errorf("using the partition's domain key for what the backup holds: %w", err)
	}
	if err := cert.CheckSignatureFrom(authority.Certificate); err != nil {
		return fmt.Errorf("using the partition's domain key for what the backup holds: %w", err)
	}
	return errors.Join(saveAuthority(r.home.tls(), authority.Certificate), savePair(r.home.tls(), cert, key))
}

// firstTerm is the Raft term of what is restored.
const firstTerm = 1

// bootstrap gives Raft the state as its newest snapshot, so that its log goes on
// behind it and revisions with it.
func (r *restoring) bootstrap(store *fsm.Store) (err error) {
	stores, err := r.cfg.Disk.OpenLog(r.home.raft())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	snapshots, err := snapshot.Open(r.cfg.Disk.FS(), r.home.snapshots(), r.cfg.Logger)
	if err != nil {
		return err
	}
	address := r.cfg.Advertise
	if address == "" {
		address = r.cfg.Listen
	}
	configuration := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(r.cfg.Name), Address: raft.ServerAddress(address)}}}
	sink, err := snapshots.Create(raft.SnapshotVersionMax, r.status.Applied, firstTerm, configuration, r.status.Applied, nil)
	if err != nil {
		return err
	}
	dir := snapshots.Scratch()
	defer snapshots.Discard(dir)
	if _, err := store.Checkpoint(dir); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.(*snapshot.Sink).Adopt(dir); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	return stores.Stable.SetUint64([]byte("CurrentTerm"), firstTerm) // hashicorp/raft's keyCurrentTerm
}

// begin runs the node for the first transaction of the new cluster.
func (r *restoring) begin(ctx context.Context, event func(view fsm.View) ([]byte, error)) error {
	return alone(ctx, r.cfg, func(n *Node) error {
		_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
			record, err := event(n.store)
			if err != nil {
				return err
			}
			tx.SetEvent(record)
			if err := n.dismissAll(tx); err != nil {
				return err
			}
			s, err := settingsTable.Get(tx, theCluster)
			if err != nil {
				return err
			}
			next := *s
			next.Epoch++
			return errors.Join(settingsTable.Put(tx, &next, theCluster), memberTable.Put(tx, &r.member, r.member.Name))
		})
		return err
	})
}

// dismissAll takes every member out and makes every join token void.
func (n *Node) dismissAll(tx *fsm.Txn) error {
	now := time.Now().UnixMilli()
	err := memberTable.Scan(n.store, nil, nil, func(id []string, m *member) (bool, error) {
		gone := *m
		if gone.Gone = true; gone.Removed == 0 {
			gone.Removed = now
		}
		return true, memberTable.Put(tx, &gone, id...)
	})
	if err != nil {
		return err
	}
	return ticketTable.Scan(n.store, nil, nil, func(id []string, _ *ticket) (bool, error) {
		ticketTable.Delete(tx, id...)
		return true, nil
	})
}
