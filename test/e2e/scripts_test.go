package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// local is a cluster that scripts/up runs, in a folder whose name has a space.
type local struct {
	t    *testing.T
	dir  string
	base int
	env  map[string]string
}

func newLocal(t *testing.T) *local {
	base, err := rig.PortBase()
	if err != nil {
		t.Fatal(err)
	}
	l := &local{t: t, dir: filepath.Join(t.TempDir(), "my cluster"), base: base}
	t.Cleanup(func() {
		if out, err := l.script("down"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return l
}

// script runs scripts/NAME on the cluster's folder.
func (l *local) script(name string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join("..", "..", "scripts", name), append(args, "--dir", l.dir)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// up runs scripts/up, which must succeed, and reads DIR/env.
func (l *local) up(args ...string) {
	l.t.Helper()
	if out, err := l.script("up", args...); err != nil {
		l.t.Fatalf("up %v: %v\n%s", args, err, out)
	}
	f, err := os.Open(filepath.Join(l.dir, "env"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	l.env = make(map[string]string)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		if !ok || !strings.HasPrefix(lines.Text(), "export ") {
			l.t.Fatalf("a line of env: %q", lines.Text())
		}
		l.env[name] = strings.Trim(value, "'")
	}
}

// shell runs a command in a shell that has sourced DIR/env.
func (l *local) shell(command string) string {
	l.t.Helper()
	out, err := exec.Command("bash", "-c", `source "$0/env"; `+command, l.dir).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (l *local) pid(node int) int {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.env["COFRE_PIDS_DIR"], fmt.Sprintf("node%d.pid", node)))
	if err != nil {
		l.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		l.t.Fatal(err)
	}
	return pid
}

// serve shows that all nodes serve and have the key, which it makes where it is "".
func (l *local) serve(key string) string {
	l.t.Helper()
	admin := rig.Credentials{AccessKeyID: l.env["AWS_ACCESS_KEY_ID"], SecretAccessKey: l.env["AWS_SECRET_ACCESS_KEY"]}
	for _, endpoint := range strings.Split(l.env["COFRE_ENDPOINTS"], ",") {
		client := rig.NewClient(endpoint, rig.NewHTTP(l.t, l.env["AWS_CA_BUNDLE"], new(rig.Journal)), admin)
		if key == "" {
			key = newKey(l.t, client)
		}
		if _, err := client.Encrypt(l.t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")}); err != nil {
			l.t.Errorf("%s: %v", endpoint, err)
		}
	}
	return key
}

// TestScripts lives the life of a cluster that a developer keeps.
func TestScripts(t *testing.T) {
	l := newLocal(t)
	l.up("--port-base", strconv.Itoa(l.base))
	l.checkEnv(3)
	l.checkModes()
	key := l.serve("")

	t.Run("up again changes nothing", func(t *testing.T) {
		before := l.pid(1)
		l.up()
		if l.pid(1) != before {
			t.Error("node 1 was started again")
		}
	})
	t.Run("a killed node comes back", func(t *testing.T) {
		before := []int{l.pid(1), l.pid(2), l.pid(3)}
		endProcess(t, l.pid(2))
		l.up()
		if l.pid(1) != before[0] || l.pid(2) == before[1] || l.pid(3) != before[2] {
			t.Errorf("processes %v, were %v", []int{l.pid(1), l.pid(2), l.pid(3)}, before)
		}
		l.serve(key)
	})
	t.Run("another's process is not taken for a node", func(t *testing.T) {
		endProcess(t, l.pid(3))
		pidFile := filepath.Join(l.env["COFRE_PIDS_DIR"], "node3.pid")
		if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l.up()
		l.serve(key)
	})
	t.Run("down, and up with the data", func(t *testing.T) {
		pid := l.pid(1)
		if out, err := l.script("down"); err != nil {
			t.Fatalf("down: %v\n%s", err, out)
		}
		if !ended(pid) {
			t.Error("node 1 still runs")
		}
		l.up("--nodes", "3", "--hsm", "soft")
		l.serve(key)
	})
	t.Run("a contradiction is refused", func(t *testing.T) {
		out, err := l.script("up", "--nodes", "1")
		if err == nil || !strings.Contains(out, "nodes") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("the Go SDK with the environment file", func(t *testing.T) {
		for name, value := range l.env {
			t.Setenv(name, value)
		}
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := kms.NewFromConfig(cfg).ListKeys(t.Context(), &kms.ListKeysInput{})
		if err != nil || len(list.Keys) != 1 || *list.Keys[0].KeyId != key {
			t.Errorf("%v, %v, want %s", list, err, key)
		}
	})
	t.Run("the AWS CLI with the environment file", func(t *testing.T) {
		if out := l.shell(awsCLI(t) + " kms list-keys --query Keys[].KeyId --output text"); out != key {
			t.Errorf("list-keys prints %q, want %s", out, key)
		}
	})
}

// awsCLI is the command line of the AWS CLI. Releases before 1.29 and 2.13, which
// some distributions have, do not know AWS_ENDPOINT_URL.
func awsCLI(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("aws", "--version").Output()
	if err != nil {
		absent(t, "the AWS CLI")
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "aws-cli/%d.%d", &major, &minor); err != nil {
		t.Fatalf("aws --version prints %q: %v", out, err)
	}
	if (major == 1 && minor < 29) || (major == 2 && minor < 13) {
		return `aws --endpoint-url "$AWS_ENDPOINT_URL"`
	}
	return "aws"
}

// TestScriptsOneNodeSoftHSM is the smallest cluster, on a token.
func TestScriptsOneNodeSoftHSM(t *testing.T) {
	if !slices.Contains(rig.Kinds(t), rig.SoftHSM) {
		absent(t, "SoftHSM2")
	}
	l := newLocal(t)
	l.up("--nodes", "1", "--hsm", "softhsm", "--log-store", "wal", "--port-base", strconv.Itoa(l.base))
	l.checkEnv(1)
	key := l.serve("")
	endProcess(t, l.pid(1))
	l.up()
	l.serve(key)
}

// TestScriptsSayWhatFailed occupies a port: up fails, shows why and leaves no
// process.
func TestScriptsSayWhatFailed(t *testing.T) {
	l := newLocal(t)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.base))
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.script("up", "--nodes", "1", "--port-base", strconv.Itoa(l.base))
	if err == nil || !strings.Contains(out, "address already in use") {
		t.Errorf("%v: %s", err, out)
	}
	listener.Close()
	// The next attempt starts over.
	l.up("--nodes", "1", "--port-base", strconv.Itoa(l.base))
	l.serve("")
}

// endProcess kills a node as a crash does.
func endProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	rig.Await(t, time.Minute, "the process to end", func() error {
		if !ended(pid) {
			return fmt.Errorf("process %d is still there", pid)
		}
		return nil
	})
}

// ended says whether a process has ended. The scripts' nodes are children of the
// system's first process, which may be slow to notice (state Z, proc(5)).
func ended(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}

// checkEnv holds DIR/env against its contract.
func (l *local) checkEnv(nodes int) {
	l.t.Helper()
	var endpoints []string
	for i := range nodes {
		endpoints = append(endpoints, fmt.Sprintf("https://127.0.0.1:%d", l.base+i))
	}
	for name, want := range map[string]string{
		"AWS_ENDPOINT_URL":    endpoints[0],
		"COFRE_ENDPOINTS":     strings.Join(endpoints, ","),
		"AWS_DEFAULT_REGION":  rig.Region,
		"AWS_REGION":          rig.Region,
		"AWS_CA_BUNDLE":       filepath.Join(l.dir, "ca.pem"),
		"NODE_EXTRA_CA_CERTS": filepath.Join(l.dir, "ca.pem"),
		"COFRE_PIDS_DIR":      filepath.Join(l.dir, "pids"),
	} {
		if l.env[name] != want {
			l.t.Errorf("%s is %q, want %q", name, l.env[name], want)
		}
	}
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "COFRE_ACCOUNT_ID", "COFRE_SECOND_ACCOUNT_ID",
		"COFRE_SECOND_ACCESS_KEY_ID", "COFRE_SECOND_SECRET_ACCESS_KEY",
	} {
		if l.env[name] == "" {
			l.t.Errorf("%s is missing", name)
		}
	}
}

// checkModes demands that nobody but the owner can reach the folder's secrets.
func (l *local) checkModes() {
	l.t.Helper()
	for path, want := range map[string]os.FileMode{
		"": 0o700, "env": 0o600, "settings": 0o600, "node1/pin": 0o600, "node1/cofre.toml": 0o600, "node1/log": 0o600,
	} {
		info, err := os.Stat(filepath.Join(l.dir, path))
		if err != nil {
			l.t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			l.t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}
