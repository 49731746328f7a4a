package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// TestToken: a token admits one node, once, in its time, and none that is not of
// this cluster.
func TestToken(t *testing.T) {
	f := newCluster(t, 1, nil)
	good := f.token(time.Hour)
	decoded, err := decodeToken(good)
	if err != nil {
		t.Fatal(err)
	}
	altered := func(edit func(*token)) string {
		other := *decoded
		edit(&other)
		text, err := other.encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"not a token":       {"hello", ErrToken},
		"cut off":           {good[:len(good)-9], ErrToken},
		"unknown":           {altered(func(t *token) { t.ID = "0000000000000000" }), ErrToken},
		"wrong secret":      {altered(func(t *token) { t.Secret = make([]byte, 32) }), ErrToken},
		"expired":           {f.token(-time.Second), ErrToken},
		"another authority": {altered(func(t *token) { t.Pin[0] ^= 1 }), pki.ErrWrongAuthority},
		"taken name":        {good, ErrNameTaken},
	} {
		t.Run(name, func(t *testing.T) {
			n := f.stranger()
			if name == "taken name" {
				n.cfg.Name = f.nodes[0].cfg.Name
			}
			if err := Join(f.ctx(), n.cfg, test.token); !errors.Is(err, test.want) {
				t.Errorf("answered %v, want %v", err, test.want)
			}
			if _, err := Open(f.ctx(), n.cfg); !errors.Is(err, ErrNoNode) {
				t.Errorf("a node that was refused opens: %v", err)
			}
		})
	}
	if err := Join(f.ctx(), f.stranger().cfg, good); err != nil {
		t.Fatalf("after all the failures, the token: %v", err)
	}
	if err := Join(f.ctx(), f.stranger().cfg, good); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "spent") {
		t.Errorf("the token again: %v", err)
	}
}

// stranger is a node with a partition of its own that no test opens.
func (f *fixture) stranger() *testNode {
	f.t.Helper()
	return f.add()
}

// TestJoinAgain: a node that lost the answer to its request gets it again with
// the same token and partition, and is the same member.
func TestJoinAgain(t *testing.T) {
	f := newCluster(t, 1, nil)
	text := f.token(time.Hour)
	n := f.add()
	n.ok(Join(f.ctx(), n.cfg, text), "Join")
	first, err := home{n.cfg.DataDir}.load(n.cfg)
	n.ok(err, "load")
	if err := Join(f.ctx(), n.cfg, text); !errors.Is(err, ErrOccupied) {
		t.Errorf("joining into a node's directory: %v", err)
	}
	n.ok(os.RemoveAll(n.cfg.DataDir), "RemoveAll")
	n.ok(Join(f.ctx(), n.cfg, text), "Join again")
	second, err := home{n.cfg.DataDir}.load(n.cfg)
	n.ok(err, "load")
	if first.Member != second.Member {
		t.Errorf("member %s became %s", first.Member, second.Member)
	}
	n.cfg.Name = "another"
	n.ok(os.RemoveAll(n.cfg.DataDir), "RemoveAll")
	if err := Join(f.ctx(), n.cfg, text); !errors.Is(err, ErrToken) {
		t.Errorf("under another name: %v", err)
	}
	n.cfg.Name = first.Name
	n.ok(Join(f.ctx(), n.cfg, text), "Join the third time")
	n.open()
	f.await("the node to vote", func() error { return n.node.Ready() })
}

// TestDomain: what one node's partition encrypts, every other's decrypts, and a
// partition of another cluster is refused.
func TestDomain(t *testing.T) {
	f := newCluster(t, 3, nil)
	ctx := f.ctx()
	key, err := f.nodes[0].partition.GenerateKey(ctx, f.nodes[0].node.Generation(), hsm.SymmetricDefault)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := f.nodes[0].partition.Encrypt(ctx, key, []byte("hello"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range f.nodes {
		plain, err := n.partition.Decrypt(ctx, key, sealed, []byte("aad"))
		if err != nil || string(plain) != "hello" {
			t.Errorf("%s: %q, %v", n.cfg.Name, plain, err)
		}
		if n.node.Generation() != 1 {
			t.Errorf("%s: generation %d", n.cfg.Name, n.node.Generation())
		}
	}
	foreign := f.add()
	foreign.ok(foreign.partition.CreateDomain(ctx, 1), "CreateDomain")
	if err := Join(ctx, foreign.cfg, f.token(time.Hour)); !errors.Is(err, ErrForeignDomain) {
		t.Errorf("a partition of another cluster: %v", err)
	}
}

// TestClonedDomain: a partition that holds the cluster's domain key already is as
// welcome as one that has none.
func TestClonedDomain(t *testing.T) {
	f := newCluster(t, 1, nil)
	n := f.add()
	transport, err := n.partition.TransportKey(f.ctx())
	n.ok(err, "TransportKey")
	wrapped, err := f.nodes[0].partition.ExportDomain(f.ctx(), 1, transport)
	n.ok(err, "ExportDomain")
	n.ok(n.partition.ImportDomain(f.ctx(), 1, wrapped), "ImportDomain")
	n.ok(Join(f.ctx(), n.cfg, f.token(time.Hour)), "Join")
}

// TestInitExistingDomain: Init takes the domain key that the partition has.
func TestInitExistingDomain(t *testing.T) {
	f := &fixture{t: t, dir: t.TempDir(), acked: map[string]bool{}, unknown: map[string]bool{}, damaged: map[string]bool{}}
	n := f.add()
	defer n.partition.Close()
	n.ok(n.partition.CreateDomain(f.ctx(), 3), "CreateDomain")
	n.ok(Init(f.ctx(), n.cfg, func(*fsm.Txn) error { return nil }), "Init")
	n.open()
	defer n.stop()
	if g := n.node.Generation(); g != 3 {
		t.Errorf("generation %d", g)
	}
}

// TestDataDir: a data directory is one node's, of one kind, and whole.
func TestDataDir(t *testing.T) {
	f := newCluster(t, 1, nil)
	n := f.nodes[0]
	n.stop()
	genesis := func(*fsm.Txn) error { return nil }
	open := func(edit func(*Config)) error {
		cfg := n.cfg
		edit(&cfg)
		_, err := Open(f.ctx(), cfg)
		return err
	}
	missing := func(path string) error {
		path = filepath.Join(n.cfg.DataDir, path)
		n.ok(os.Rename(path, path+".away"), "Rename")
		defer func() { n.ok(os.Rename(path+".away", path), "Rename") }()
		return open(func(*Config) {})
	}
	for name, test := range map[string]struct{ got, want error }{
		"Init again":          {Init(f.ctx(), n.cfg, genesis), ErrOccupied},
		"another name":        {open(func(c *Config) { c.Name = "other" }), ErrMismatch},
		"another log store":   {open(func(c *Config) { c.LogStore = LogStoreWAL }), ErrMismatch},
		"nothing there":       {open(func(c *Config) { c.DataDir += "x" }), ErrNoNode},
		"the log is missing":  {missing("raft/stable.db"), ErrDamaged},
		"the CA is missing":   {missing("tls/ca.pem"), ErrDamaged},
		"no node file":        {missing("node.json"), ErrNoNode},
		"an unknown store":    {open(func(c *Config) { c.LogStore = "paper" }), nil},
		"without a partition": {open(func(c *Config) { c.Partition = nil }), nil},
	} {
		if test.got == nil || test.want != nil && !errors.Is(test.got, test.want) {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	n.ok(os.Remove(filepath.Join(n.cfg.DataDir, "node.json")), "Remove")
	if err := Init(f.ctx(), n.cfg, genesis); !errors.Is(err, ErrOccupied) {
		t.Errorf("Init where only the node file is missing: %v", err)
	}
}

// TestInitFails: an Init whose genesis fails leaves a directory that the next one
// takes.
func TestInitFails(t *testing.T) {
	f := &fixture{t: t, dir: t.TempDir(), acked: map[string]bool{}, unknown: map[string]bool{}, damaged: map[string]bool{}}
	n := f.add()
	defer n.partition.Close()
	mine := errors.New("mine")
	if err := Init(f.ctx(), n.cfg, func(*fsm.Txn) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("answered %v", err)
	}
	if _, err := Open(f.ctx(), n.cfg); !errors.Is(err, ErrNoNode) {
		t.Errorf("an unfinished node opens: %v", err)
	}
	n.ok(Init(f.ctx(), n.cfg, func(*fsm.Txn) error { return nil }), "Init")
	n.open()
	n.stop()
}

// TestCertificates: a node whose certificate is lost or does not fit its key
// issues itself another, and a server certificate verifies.
func TestCertificates(t *testing.T) {
	f := newCluster(t, 1, nil)
	n := f.nodes[0]
	n.stop()
	n.ok(os.Remove(filepath.Join(n.cfg.DataDir, "tls", "node.key")), "Remove")
	n.open()
	info, err := os.Stat(filepath.Join(n.cfg.DataDir, "tls", "node.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the new key: %v, %v", info, err)
	}
	f.join()
	cert, err := n.node.ServerCertificate(context.Background(), []string{"localhost", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.Leaf.VerifyHostname("127.0.0.1"); err != nil || cert.Leaf.CheckSignatureFrom(n.node.CA()) != nil {
		t.Errorf("the server certificate: %v", err)
	}
}

// TestRenewal: a certificate is renewed while the node runs, and peers go on to
// accept the node, over old connections and new ones.
func TestRenewal(t *testing.T) {
	f := newCluster(t, 2, nil)
	n := f.follower()
	before := n.node.credentials.current.Load().Leaf
	if n.node.credentials.due(time.Now()) || !n.node.credentials.due(before.NotAfter.Add(-time.Hour)) {
		t.Error("due at the wrong time")
	}
	n.ok(n.node.renew(f.ctx(), n.node.HSM()), "renew")
	after := n.node.credentials.current.Load().Leaf
	if before.SerialNumber.Cmp(after.SerialNumber) == 0 {
		t.Error("the certificate is the old one")
	}
	n.node.transport.CloseStreams()
	n.node.peers.client(peerKey{name: f.leader().cfg.Name}).Close()
	if _, err := f.leader().transact(f.ctx(), nil); err != nil {
		t.Error(err)
	}
	n.stop()
	n.open()
	if again := n.node.credentials.current.Load().Leaf; again.SerialNumber.Cmp(after.SerialNumber) != 0 {
		t.Error("after a restart it is another certificate")
	}
	if _, err := n.transact(f.ctx(), nil); err != nil {
		t.Error(err)
	}
}
