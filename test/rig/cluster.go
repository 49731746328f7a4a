package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The Regions that the clusters serve, as those of scripts/up. Clients use the
// first where a test does not say otherwise.
const (
	Region = "us-east-1"
	West   = "us-west-2"
	Europe = "eu-west-1"
)

// Regions are all of them.
func Regions() []string { return []string{Region, West, Europe} }

// Limits on what a test waits for; a test that runs into one fails. They say
// nothing about how fast Cofre is.
const (
	commandLimit = 60 * time.Second
	startLimit   = 60 * time.Second
	stopLimit    = 30 * time.Second
)

// Config configures a Cluster.
type Config struct {
	// Binary is the path of cofre; see [Build].
	Binary string
	// Nodes is the number of nodes; 0 means 3.
	Nodes int
	// Spare is the number of nodes that are made and not enrolled.
	Spare int
	// HSM is [Soft] or [SoftHSM]; "" means Soft.
	HSM string
	// LogStore is "boltdb" or "wal"; "" means boltdb.
	LogStore string
	// Dir is the folder that everything is written to; "" means a temporary one
	// that goes with the test.
	Dir string
	// Assisted lets the nodes of a [SoftHSM] cluster do what their tokens cannot.
	Assisted bool
	// Module is the PKCS #11 module of a [SoftHSM] cluster; "" means SoftHSM's own.
	Module string
	// Prepare is called for each node before anything of it runs, when its folders
	// are there. It may set [Node.Place]. It is nil where nothing is to be prepared.
	Prepare func(*Node) error
}

// Credentials are a user's access key. The JSON is that of `cofre init` and
// `cofre account create`.
type Credentials struct {
	AccountID       string `json:"accountId"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// Cluster is a running cluster. A test's goroutines may use it concurrently, but
// a node's process belongs to one goroutine at a time.
type Cluster struct {
	// Nodes are the members, Spare the nodes that are none. See [Cluster.Enlist].
	Nodes, Spare []*Node
	// Admin and Second are the administrators of two accounts.
	Admin, Second Credentials
	// CAFile is the PEM file of the CA that certifies the nodes' API.
	CAFile string
	// Journal has every answer that the rig's clients saw.
	Journal *Journal
	// Secrets are what must not be found in anything that the nodes write.
	Secrets *Secrets

	cfg Config
	dir string
	up  bool // bringUp has succeeded
}

// Start runs a cluster and waits until every node serves. When the test ends the
// cluster is checked and stopped; when it failed, the ends of the logs are shown.
func Start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.HSM == "" {
		cfg.HSM = Soft
	}
	if cfg.LogStore == "" {
		cfg.LogStore = "boltdb"
	}
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	c := &Cluster{cfg: cfg, dir: cfg.Dir, Journal: new(Journal), Secrets: newSecrets()}
	t.Cleanup(func() { c.end(t) })
	if err := c.bringUp(); err != nil {
		t.Fatalf("starting a cluster: %v", err)
	}
	return c
}

// Node answers node 1, 2, 3 …, as scripts/up numbers them.
func (c *Cluster) Node(number int) *Node { return c.Nodes[number-1] }

// Others answers the nodes that are not in the list.
func (c *Cluster) Others(not ...*Node) []*Node {
	var others []*Node
	for _, n := range c.Nodes {
		if !contains(not, n) {
			others = append(others, n)
		}
	}
	return others
}

func contains(nodes []*Node, node *Node) bool {
	for _, n := range nodes {
		if n == node {
			return true
		}
	}
	return false
}

func (c *Cluster) bringUp() error {
	base, err := PortBase()
	if err != nil {
		return err
	}
	for i := range c.cfg.Nodes + c.cfg.Spare {
		n, err := c.newNode(fmt.Sprintf("node%d", i+1), base+i)
		if err != nil {
			return err
		}
		if i >= c.cfg.Nodes {
			c.Spare = append(c.Spare, n)
			continue
		}
		c.Nodes = append(c.Nodes, n)
		if err := c.enroll(n); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	if err := c.keepCA(); err != nil {
		return err
	}
	out, err := c.Nodes[0].Run("", "account", "create", "--name", "second", "--json")
	if err != nil {
		return err
	}
	c.up = true
	return c.learn(out, &c.Second)
}

// keepCA copies the CA's certificate to where no loss of a node takes it.
func (c *Cluster) keepCA() error {
	pem, err := os.ReadFile(filepath.Join(c.Nodes[0].DataDir(), "tls", "ca.pem"))
	if err != nil {
		return err
	}
	c.CAFile = filepath.Join(c.dir, "ca.pem")
	return os.WriteFile(c.CAFile, pem, 0o600)
}

// Enlist notes that a spare node is a member now, Dismiss that a member is none.
// The caller sees to it that they are.
func (c *Cluster) Enlist(n *Node)  { move(n, &c.Spare, &c.Nodes) }
func (c *Cluster) Dismiss(n *Node) { move(n, &c.Nodes, &c.Spare) }

func move(n *Node, from, to *[]*Node) {
	*from = slices.DeleteFunc(slices.Clone(*from), func(o *Node) bool { return o == n })
	*to = append(slices.Clone(*to), n)
}

// enroll makes the first node's cluster or joins it, and runs the node.
func (c *Cluster) enroll(n *Node) error {
	if n == c.Nodes[0] {
		out, err := n.Run("", "init")
		if err != nil {
			return err
		}
		if err := c.learn(out, &c.Admin); err != nil {
			return err
		}
	} else {
		token, err := c.Nodes[0].Run("", "token", "create")
		if err != nil {
			return err
		}
		if _, err := n.Run(string(token), "join"); err != nil {
			return err
		}
	}
	if err := n.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	return n.AwaitReady(ctx)
}

// learn reads credentials and plants their secret.
func (c *Cluster) learn(out []byte, into *Credentials) error {
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("reading credentials: %w", err)
	}
	if into.AccountID == "" || into.AccessKeyID == "" || into.SecretAccessKey == "" {
		return fmt.Errorf("credentials of account %q are incomplete", into.AccountID)
	}
	c.Secrets.Add("secret access key", []byte(into.SecretAccessKey))
	return nil
}

// end checks the cluster where the test has not failed, and stops it.
func (c *Cluster) end(t testing.TB) {
	if !t.Failed() && c.up {
		c.Check(t)
		c.checkStopped(t)
	}
	for _, n := range slices.Concat(c.Nodes, c.Spare) {
		n.Kill()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", n.Name, tail(n.logFile(), 60))
			// Whole where the test runs with -artifacts.
			_ = os.WriteFile(filepath.Join(t.ArtifactDir(), n.Name+".log"), tail(n.logFile(), 1<<30), 0o600)
		}
	}
}

// Await waits until all given nodes serve, all nodes of the cluster where none
// is given.
func (c *Cluster) Await(t testing.TB, nodes ...*Node) {
	t.Helper()
	if len(nodes) == 0 {
		nodes = c.Nodes
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for _, n := range nodes {
		if err := n.AwaitReady(ctx); err != nil {
			t.Fatalf("waiting for %s: %v", n.Name, err)
		}
	}
}

// Revive starts the nodes that do not run, and waits until all serve.
func (c *Cluster) Revive(t testing.TB) {
	t.Helper()
	for _, n := range c.Nodes {
		if !n.Running() {
			if err := n.Start(); err != nil {
				t.Fatalf("starting %s: %v", n.Name, err)
			}
		}
	}
	c.Await(t)
}

// Leader waits until all running nodes name the same leader, and answers it.
func (c *Cluster) Leader(t testing.TB) *Node {
	t.Helper()
	var leader *Node
	Await(t, startLimit, "a leader", func() error {
		names := make(map[string]bool)
		for _, n := range c.Nodes {
			if !n.Running() {
				continue
			}
			status, err := n.Status()
			if err != nil {
				return err
			}
			names[status.Leader] = true
		}
		for _, n := range c.Nodes {
			if names[n.member] && len(names) == 1 && n.Running() {
				leader = n
				return nil
			}
		}
		return fmt.Errorf("the nodes name %v", names)
	})
	return leader
}

// tail answers the last lines of a file.
func tail(path string, lines int) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	start := len(b)
	for range lines + 1 {
		for start > 0 && b[start-1] != '\n' {
			start--
		}
		if start == 0 {
			return b
		}
		start--
	}
	return b[start+1:]
}
