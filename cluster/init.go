package cluster

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// Init makes a cluster of one node in an empty data directory: domain key (or
// the one that the partition already holds), cluster CA, node certificate, Raft
// configuration. It then runs the node, commits genesis as one transaction
// together with the cluster's own records, and stops it again. It fails where
// the data directory holds a node already. One that a crash left unfinished is
// begun anew.
func Init(ctx context.Context, cfg Config, genesis func(tx *fsm.Txn) error) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	h := home{cfg.DataDir}
	if err := h.claim(cfg); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	founder, err := found(ctx, cfg, h)
	if err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	if err := commitGenesis(ctx, cfg, founder, genesis); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	founder.who.Unfinished = false
	return h.save(founder.who)
}

// founder is what the first node begins with.
type founder struct {
	who      who
	settings settings
	member   member
}

// found writes the files of the first node.
func found(ctx context.Context, cfg Config, h home) (*founder, error) {
	s, authority, err := newSettings(ctx, cfg.Partition)
	if err != nil {
		return nil, err
	}
	s.Level = cfg.levels.highest
	m, err := newMember(cfg.Name, cfg.Partition.Info().Serial, cfg.Partition.Identity().Public())
	if err != nil {
		return nil, err
	}
	m.announce(cfg.levels)
	f := &founder{
		who:      who{Name: cfg.Name, Member: m.ID, LogStore: cfg.LogStore, Unfinished: true},
		settings: s,
		member:   m,
	}
	key, err := pki.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := authority.Node(key.Public(), pki.Identity{Name: m.Name, Member: m.ID}, time.Now())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(saveAuthority(h.tls(), authority.Certificate), savePair(h.tls(), cert, key)); err != nil {
		return nil, err
	}
	if err := bootstrap(cfg, h); err != nil {
		return nil, err
	}
	return f, h.save(f.who)
}

// newSettings makes the domain key, where there is none, and the cluster CA.
func newSettings(ctx context.Context, partition hsm.Partition) (settings, *pki.Authority, error) {
	held, err := partition.Generations(ctx)
	if err != nil {
		return settings{}, nil, fmt.Errorf("listing domain keys: %w", err)
	}
	var s settings
	for g := range held {
		s.Generation = max(s.Generation, g)
	}
	if s.Generation == 0 {
		s.Generation = 1
		if err := partition.CreateDomain(ctx, s.Generation); err != nil {
			return settings{}, nil, fmt.Errorf("making the domain key: %w", err)
		}
	}
	if s.Key, err = partition.GenerateKey(ctx, s.Generation, hsm.ECCNistP256); err != nil {
		return settings{}, nil, fmt.Errorf("making the cluster CA's key: %w", err)
	}
	signer, err := newKeySigner(ctx, partition, s.Key)
	if err != nil {
		return settings{}, nil, err
	}
	authority, err := pki.NewAuthority(signer, rand.Reader, time.Now())
	if err != nil {
		return settings{}, nil, err
	}
	s.Certificate = authority.Certificate.Raw
	return s, authority, nil
}

// newMember makes the record of a node that is admitted now.
func newMember(name, serial string, identity any) (member, error) {
	der, err := x509.MarshalPKIXPublicKey(identity)
	if err != nil {
		return member{}, fmt.Errorf("encoding a node's identity key: %w", err)
	}
	m := member{Name: name, Identity: der, Serial: serial, Joined: time.Now().UnixMilli()}
	var random [8]byte
	if _, err := io.ReadFull(rand.Reader, random[:]); err != nil {
		return member{}, fmt.Errorf("drawing a member ID: %w", err)
	}
	m.ID = fmt.Sprintf("%016x%x", m.Joined, random)
	return m, nil
}

// succeed makes a member's ID come after its predecessor's of the same name, as
// texts, whatever the clocks say.
func (m *member) succeed(predecessor *member) error {
	last, err := strconv.ParseInt(predecessor.ID[:min(16, len(predecessor.ID))], 16, 64)
	if err != nil {
		return fmt.Errorf("reading a member ID: %w", err)
	}
	if m.ID <= predecessor.ID {
		m.ID = fmt.Sprintf("%016x%s", last+1, m.ID[16:])
	}
	return nil
}

// bootstrap writes the Raft configuration of one voter.
func bootstrap(cfg Config, h home) error {
	stores, err := cfg.Disk.OpenLog(h.raft())
	if err != nil {
		return err
	}
	snapshots, err := snapshot.Open(cfg.Disk.FS(), h.snapshots(), cfg.Logger)
	if err != nil {
		return errors.Join(err, stores.Close())
	}
	address := cfg.Advertise
	if address == "" {
		address = cfg.Listen
	}
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(cfg.Name)
	config.Logger = cfg.Logger
	_, transport := raft.NewInmemTransport(raft.ServerAddress(address))
	err = raft.BootstrapCluster(config, stores.Logs, stores.Stable, snapshots, transport, raft.Configuration{
		Servers: []raft.Server{{ID: config.LocalID, Address: raft.ServerAddress(address)}},
	})
	if err != nil {
		err = fmt.Errorf("writing the Raft configuration: %w", err)
	}
	return errors.Join(err, stores.Close())
}

// lonely is the election timeout of a node that has no peers.
const lonely = 20 * time.Millisecond

// alone runs a node that is being made, for its first transaction.
func alone(ctx context.Context, cfg Config, do func(*Node) error) error {
	cfg.founding = true
	cfg.Metrics = nil // the node that is opened next registers its own
	// There is nobody to wait for before an election.
	cfg.Timing.Heartbeat, cfg.Timing.Election, cfg.Timing.Lease = lonely, lonely, lonely
	n, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(n), n.Close(ctx))
}

func commitGenesis(ctx context.Context, cfg Config, f *founder, genesis func(tx *fsm.Txn) error) error {
	return alone(ctx, cfg, func(n *Node) error {
		_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error {
			if err := settingsTable.Put(tx, &f.settings, theCluster); err != nil {
				return err
			}
			if err := memberTable.Put(tx, &f.member, f.member.Name); err != nil {
				return err
			}
			return genesis(tx)
		})
		return err
	})
}
