package rig

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cofre-kms/cofre/cluster"
)

// Node is one node: its files, and its process while it runs.
type Node struct {
	// Name is the machine's, and the member's where [Node.Rename] gave it no other.
	Name string
	// Addr is host:port of its API, PeerAddr of its port for other nodes,
	// MetricsAddr that of its figures and health.
	Addr, PeerAddr, MetricsAddr string
	// Place is where the node lives: nil for the network of the test itself.
	Place Place

	binary string
	dir    string
	text   string // of the configuration, without the member's name
	member string
	env    []string
	proc   atomic.Pointer[process]
}

// process is one run of a node. err is set before ended is closed.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
}

// newNode writes a node's configuration and makes its token.
func (c *Cluster) newNode(name string, port int) (*Node, error) {
	n := &Node{
		Name: name, binary: c.cfg.Binary, dir: filepath.Join(c.dir, name),
		Addr: loopback(port), PeerAddr: loopback(port + peerOffset), MetricsAddr: loopback(port + metricsOffset),
	}
	if err := errors.Join(os.Mkdir(n.dir, 0o700), os.Mkdir(n.DataDir(), 0o700)); err != nil {
		return nil, err
	}
	pin := rand.Text()
	c.Secrets.Add(name+"'s PIN", []byte(pin))
	hsm := `kind = "soft"`
	if c.cfg.HSM == SoftHSM {
		uri, err := makeToken(n.dir, "cofre-"+name, pin, c.cfg.Module)
		if err != nil {
			return nil, err
		}
		hsm = fmt.Sprintf("kind = \"pkcs11\"\nuri = %q", uri)
		if c.cfg.Assisted {
			hsm += "\nsoftware_assisted = [\"all\"]"
		}
	}
	n.text = fmt.Sprintf("data_dir = %q\nregions = [%q, %q, %q]\n"+
		"[api]\nlisten = %q\n[cluster]\nlisten = %q\nlog_store = %q\n"+
		"[hsm]\n%s\npin_file = %q\n[admin]\nsocket = %q\n[log]\nlevel = \"debug\"\n[metrics]\nlisten = %q\n",
		n.DataDir(), Region, West, Europe, n.Addr, n.PeerAddr, c.cfg.LogStore,
		hsm, n.PINFile(), filepath.Join(n.dir, "admin.sock"), n.MetricsAddr)
	n.env = environment("SOFTHSM2_CONF=" + filepath.Join(n.dir, "softhsm2.conf"))
	err := errors.Join(
		os.WriteFile(n.PINFile(), []byte(pin+"\n"), 0o600),
		n.Rename(name),
	)
	if err == nil && c.cfg.Prepare != nil {
		err = c.cfg.Prepare(n)
	}
	return n, err
}

// Rename gives the node another name in its configuration: it is another member
// once it joins.
func (n *Node) Rename(member string) error {
	n.member = member
	return os.WriteFile(n.config(), fmt.Appendf(nil, "name = %q\n%s", member, n.text), 0o600)
}

// SetBinary says which binary the node's next process and commands are of.
func (n *Node) SetBinary(path string) { n.binary = path }

// Member is the name in the node's configuration.
func (n *Node) Member() string { return n.member }

// Wipe loses all that a node that does not run has kept in its data directory.
func (n *Node) Wipe() error { return n.wipe(func(string) bool { return false }) }

// WipeState is Wipe but for the files of an embedded partition: the HSM is there
// still.
func (n *Node) WipeState() error {
	return n.wipe(func(name string) bool { return strings.HasPrefix(name, "partition") })
}

func (n *Node) wipe(keep func(name string) bool) error {
	entries, err := os.ReadDir(n.DataDir())
	for _, entry := range entries {
		if keep(entry.Name()) {
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(n.DataDir(), entry.Name())))
	}
	return err
}

// environment is the test's own, without settings of a cluster that the
// developer may be using.
func environment(more ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "COFRE_") && !strings.HasPrefix(pair, "AWS_") {
			env = append(env, pair)
		}
	}
	return append(env, more...)
}

func (n *Node) config() string { return filepath.Join(n.dir, "cofre.toml") }

// Dir is the folder with all files of the node: its log among them. DataDir, in
// it, is where the node keeps its state.
func (n *Node) Dir() string     { return n.dir }
func (n *Node) DataDir() string { return filepath.Join(n.dir, "data") }
func (n *Node) logFile() string { return filepath.Join(n.dir, "log") }

// PINFile holds the PIN of the node's partition.
func (n *Node) PINFile() string { return filepath.Join(n.dir, "pin") }

// Log answers the last lines of what the node has logged.
func (n *Node) Log(lines int) string { return string(tail(n.logFile(), lines)) }

// URL is the endpoint that clients use.
func (n *Node) URL() string { return "https://" + n.Addr }

// Run runs a command of cofre with the node's configuration and answers what it
// printed.
func (n *Node) Run(stdin string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.binary, append(args, "--config", n.config())...)
	cmd.Env = n.env
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := n.in(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return nil, fmt.Errorf("cofre %s on %s: %w\n%s", strings.Join(args, " "), n.Name, err, stderr.Bytes())
	}
	return out.Bytes(), nil
}

// Start runs the node's process. It does not wait until the node serves.
func (n *Node) Start() error {
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(n.binary, "server", "--config", n.config())
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = n.env, log, log, dieWithTest()
	if err := n.in(cmd.Start); err != nil {
		return err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	n.proc.Store(p)
	return nil
}

// Running says whether the node's process is there, paused or not.
func (n *Node) Running() bool {
	p := n.proc.Load()
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process as kill -9 does and returns when it is gone.
func (n *Node) Kill() {
	if p := n.proc.Load(); p != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}

// Stop asks the process to stop, and says whether it ended well and in time.
func (n *Node) Stop() error {
	if !n.Running() {
		return nil
	}
	p := n.proc.Load()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.ended:
		return p.err
	case <-limit.C:
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		<-p.ended
		return fmt.Errorf("%s does not stop", n.Name)
	}
}

// AwaitEnd returns the exit code of a process that ends by itself before ctx does.
func (n *Node) AwaitEnd(ctx context.Context) (code int, err error) {
	p := n.proc.Load()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s runs on: %w", n.Name, ctx.Err())
	}
}

// Pause stops the process in its tracks, Resume lets it go on.
func (n *Node) Pause() error  { return n.proc.Load().cmd.Process.Signal(syscall.SIGSTOP) }
func (n *Node) Resume() error { return n.proc.Load().cmd.Process.Signal(syscall.SIGCONT) }

// Ready is nil where the node says that it can serve.
func (n *Node) Ready(ctx context.Context) error {
	_, err := n.get(ctx, "/readyz")
	return err
}

// AwaitReady returns when the node says that it can serve. It fails at once when
// the process ends.
func (n *Node) AwaitReady(ctx context.Context) error {
	var ended error
	err := Poll(ctx, func() error {
		if !n.Running() {
			ended = fmt.Errorf("%s ended: %v\n%s", n.Name, n.proc.Load().err, tail(n.logFile(), 20))
			return nil
		}
		return n.Ready(ctx)
	})
	return errors.Join(ended, err)
}

// Status is what `cofre status --json` says.
func (n *Node) Status() (cluster.Status, error) {
	var status cluster.Status
	out, err := n.Run("", "status", "--json")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return status, fmt.Errorf("reading %s's status: %w", n.Name, err)
	}
	return status, nil
}
