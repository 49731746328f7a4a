package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cofre": main})
}

// TestScripts runs the command as operators do. A script has a free port in each
// of $API, $CLUSTER, $METRICS, $CLUSTER2, …, and these commands: await waits
// until a URL answers 200, credentials takes the AWS environment from what a
// command printed, exits demands an exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":       await,
			"credentials": credentials,
			"exits":       exits,
		},
	})
}

func setup(env *testscript.Env) error {
	for _, name := range []string{"API", "CLUSTER", "METRICS", "API2", "CLUSTER2", "METRICS2"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv(name, listener.Addr().String())
		env.Defer(func() { _ = listener.Close() })
		defer listener.Close() // all are open until all are chosen
	}
	for _, node := range []string{"", "2"} {
		text := fmt.Sprintf("name = \"node%s\"\ndata_dir = %q\nregions = [\"us-east-1\"]\n[api]\nlisten = %q\n[cluster]\nlisten = %q\n"+
			"[hsm]\npin_file = %q\n[metrics]\nlisten = %q\n", node, filepath.Join(env.WorkDir, "data"+node), env.Getenv("API"+node),
			env.Getenv("CLUSTER"+node), filepath.Join(env.WorkDir, "pin"), env.Getenv("METRICS"+node))
		if err := os.WriteFile(filepath.Join(env.WorkDir, "cofre"+node+".toml"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "pin"), []byte("correct horse battery staple\n"), 0o600)
}

// exits CODE COMMAND … demands an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ...")
	}
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v: %v", args[1:], err)
	}
}

// await URL waits until it answers 200, a second at a time.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await URL")
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(time.Minute)
	for {
		resp, err := client.Get(args[0])
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = errors.New(resp.Status)
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: %v", args[0], err)
		}
		<-time.After(20 * time.Millisecond) // nothing tells when a port opens
	}
}

// credentials FILE sets the AWS environment to the access key in a JSON file, and
// $ACCOUNT to its account.
func credentials(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: credentials FILE")
	}
	var made struct{ AccountID, AccessKeyID, SecretAccessKey string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &made))
	ts.Setenv("ACCOUNT", made.AccountID)
	ts.Setenv("AWS_ACCESS_KEY_ID", made.AccessKeyID)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", made.SecretAccessKey)
}
