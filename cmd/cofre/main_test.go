package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cofre-kms/cofre/internal/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cofre": main})
}

// TestScripts runs the command as operators do. A script has a free port in each
// of $API, $CLUSTER, $METRICS, $CLUSTER2, …, and the command await, which waits
// until a URL answers 200.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await,
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

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := func(string) (string, bool) { return " from-environment ", true }
	nothing := func(string) (string, bool) { return "", false }
	for _, test := range []struct {
		name, file string
		lookup     func(string) (string, bool)
		in, want   string
	}{
		{"file", file, environment, "from-input", "from-file"},
		{"environment", "", environment, "from-input", "from-environment"},
		{"input", "", nothing, "from-input\n", "from-input"},
		{"nothing", "", nothing, "\n", ""},
		{"no such file", file + "x", environment, "from-input", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readToken(test.file, test.lookup, strings.NewReader(test.in))
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// ca issues certificates that end after the given lifetimes; a zero is a failure.
type ca struct {
	lifetimes []time.Duration
	issued    []time.Time
}

func (c *ca) ServerCertificate(context.Context, []string) (*tls.Certificate, error) {
	c.issued = append(c.issued, time.Now())
	lifetime := c.lifetimes[0]
	c.lifetimes = c.lifetimes[1:]
	if lifetime == 0 {
		return nil, errors.New("no state yet")
	}
	return &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(lifetime)}}, nil
}

func TestCertificatesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		const life = 90 * 24 * time.Hour
		from := &ca{lifetimes: []time.Duration{0, 0, life, life, life}}
		c := &certificate{logger: hclog.NewNullLogger()}
		if _, err := c.get(nil); !errors.Is(err, errNoCertificate) {
			t.Errorf("before there is one: %v", err)
		}
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.keep(ctx, from, nil)
		}()
		time.Sleep(150 * 24 * time.Hour) // of the bubble's clock
		cancel()
		<-done
		if _, err := c.get(nil); err != nil {
			t.Error(err)
		}
		var at []time.Duration
		for _, issued := range from.issued {
			at = append(at, issued.Sub(start))
		}
		want := []time.Duration{0, issueAgain, 2 * issueAgain, 2*issueAgain + life*2/3, 2*issueAgain + life*4/3}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("asked at %v instead of %v", at, want)
		}
	})
}

func TestForeignCertificates(t *testing.T) {
	c := &certificate{logger: hclog.NewNullLogger()}
	if err := c.load(config.API{CertFile: "none", KeyFile: "none"}); err == nil {
		t.Error("no error for files that are not there")
	}
}

// fakeLeader leads from when lead is called until its done is closed.
type fakeLeader struct {
	changes chan bool
	done    chan struct{} // nil: does not lead
}

func (f *fakeLeader) Leading() (bool, <-chan struct{}) { return f.done != nil, f.done }
func (f *fakeLeader) LeaderChanges() <-chan bool       { return f.changes }

func TestTheStewardWorksWhileTheNodeLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		node := &fakeLeader{changes: make(chan bool, 1)}
		working, runs := false, 0
		var fail error
		s := &steward{leader: node, logger: hclog.NewNullLogger(), work: func(ctx context.Context) error {
			runs++
			if fail != nil {
				return fail
			}
			working = true
			<-ctx.Done()
			working = false
			return ctx.Err()
		}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.run(ctx)
		}()
		expect := func(when string, isWorking bool, wantRuns int) {
			t.Helper()
			synctest.Wait()
			if working != isWorking || runs != wantRuns {
				t.Errorf("%s: working %v, %d runs", when, working, runs)
			}
		}
		expect("at first", false, 0)
		node.done = make(chan struct{})
		node.changes <- true
		expect("elected", true, 1)
		lost := node.done
		node.done = nil
		close(lost)
		expect("deposed", false, 1)
		fail = errors.New("no quorum")
		node.done = make(chan struct{})
		node.changes <- true
		expect("failing", false, 2)
		fail = nil
		time.Sleep(stewardAgain)
		expect("trying again", true, 3)
		cancel()
		<-done
		expect("stopped", false, 3)
	})
}
