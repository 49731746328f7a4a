package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestBoto3 runs testdata/operations.py. Every answer that boto3 saw enters the
// journal, and so the check after the test.
func TestBoto3(t *testing.T) {
	python := findPython(t)
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		runPython(t, c, python, "operations.py", 40)
	})
}

// runPython runs a script of testdata that calls the cluster at least so many times.
func runPython(t *testing.T, c *rig.Cluster, python, script string, calls int) {
	t.Helper()
	journal := filepath.Join(t.TempDir(), "journal")
	cmd := exec.Command(python, "-B", filepath.Join("testdata", script))
	cmd.Env = append(c.Environment(), "COFRE_JOURNAL="+journal, "COFRE_CLUSTER_PASSWORD="+os.Getenv("COFRE_CLUSTER_PASSWORD"),
		"COFRE_CLUSTER_ANCHOR="+os.Getenv("COFRE_CLUSTER_ANCHOR"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	readJournal(t, c, journal, calls)
}

func readJournal(t *testing.T, c *rig.Cluster, path string, calls int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		var a rig.Answer
		entry := []any{&a.RequestID, &a.Status, &a.Code, &a.Operation}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		c.Journal.Add(a)
	}
	if count < calls {
		t.Errorf("boto3 noted only %d answers", count)
	}
}

// findPython answers a Python that has boto3. Where there is none the test is
// skipped, unless COFRE_REQUIRE_AWS_CLIENTS=1.
func findPython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import boto3").Run() == nil {
			return python
		}
	}
	absent(t, "boto3")
	return ""
}

func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("COFRE_REQUIRE_AWS_CLIENTS") == "1" {
		t.Fatalf("%s is required and not installed", what)
	}
	t.Skipf("%s is not installed", what)
}

// TestAWSCLI runs the script testdata/cli.txtar against a cluster.
func TestAWSCLI(t *testing.T) {
	needAWSCLI(t)
	eachCluster(t, func(t *testing.T, c *rig.Cluster) { runScript(t, c, "cli.txtar") })
}

func needAWSCLI(t *testing.T) {
	t.Helper()
	if exec.Command("aws", "--version").Run() != nil {
		absent(t, "the AWS CLI")
	}
}

// runScript runs a script of testdata with the environment of a cluster's
// clients.
func runScript(t *testing.T, c *rig.Cluster, name string) {
	testscript.Run(t, testscript.Params{
		Files: []string{filepath.Join("testdata", name)},
		Setup: func(env *testscript.Env) error {
			for _, pair := range c.Environment() {
				if strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "COFRE_") {
					env.Vars = append(env.Vars, pair)
				}
			}
			env.Vars = append(env.Vars, "N1="+c.Node(1).URL(), "N2="+c.Node(2).URL(), "N3="+c.Node(3).URL())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"keep": keep, "killleader": killLeader(t, c)},
	})
}

// keep sets a variable to what the last command printed, without space around it:
// keep NAME.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// killLeader kills the leader and points $N1 to a node that lives.
func killLeader(t *testing.T, c *rig.Cluster) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 0 {
			ts.Fatalf("usage: killleader")
		}
		leader := c.Leader(t)
		leader.Kill()
		ts.Setenv("N1", c.Others(leader)[0].URL())
	}
}
