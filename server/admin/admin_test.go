package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/servertest"
)

// node adds to a cluster of one what operators ask for.
type node struct {
	*servertest.Node
	members []cluster.Admitted
	without bool          // a quorum
	asked   chan struct{} // closed when the first request waits for it
}

func (n *node) Status() cluster.Status { return cluster.Status{Name: "node1", FSM: n.Store.Status()} }

func (n *node) NewToken(_ context.Context, _ *fsm.Txn, lifetime time.Duration) (string, error) {
	return "token for " + lifetime.String(), nil
}

// Transact waits for a quorum that there is not, where without is set.
func (n *node) Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (uint64, error) {
	if !n.without {
		return n.Node.Transact(ctx, caller, run)
	}
	close(n.asked)
	<-ctx.Done()
	return 0, ctx.Err()
}

func (n *node) Members(fsm.View) ([]cluster.Admitted, error) { return n.members, nil }

func (n *node) Expel(_ *fsm.Txn, name string) error {
	if name != "node2" {
		return cluster.ErrNoMember
	}
	n.members = nil
	return nil
}

func (n *node) Backup(ctx context.Context, event []byte, w io.Writer) error {
	if _, err := n.Transact(ctx, "", func(tx *fsm.Txn) error { tx.SetEvent(event); return nil }); err != nil {
		return err
	}
	_, err := io.WriteString(w, "a backup")
	return err
}

func (n *node) Checkpoint() ([]byte, error)     { return []byte("a note"), nil }
func (n *node) VerifierKeys() ([]string, error) { return []string{"key1", "key2"}, nil }

func (n *node) DeclareEpoch(ctx context.Context, event []byte) error {
	_, err := n.Transact(ctx, "", func(tx *fsm.Txn) error { tx.SetEvent(event); return nil })
	return err
}

type fixture struct {
	node   *node
	client *admin.Client
	root   *operator.Credentials
	path   string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{node: &node{servertest.New(t), []cluster.Admitted{{Name: "node2"}}, false, make(chan struct{})}, path: filepath.Join(t.TempDir(), "admin.sock")}
	ids := identity.New(identity.Config{HSM: servertest.NewHSM(t)})
	if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) (err error) {
		f.root, err = admin.Genesis(context.Background(), tx, admin.Founding{
			Identity: ids, Generation: 1, AccountName: "operators", Region: "us-east-1", UID: 7, UserAgent: "test", Time: time.Unix(0, 0),
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	routes := operator.New(operator.Config{Node: f.node, Identities: ids, Access: authz.New()}).Routes()
	api, err := server.New(server.Config{
		Node: f.node, Identity: ids, Regions: []string{"us-east-1"}, Logger: hclog.NewNullLogger(),
		Services: []server.Service{{Name: "cofre", Protocol: server.REST("/v1/", routes), Operations: rest.Operations(routes)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := admin.New(admin.Config{
		Node: f.node, Ledger: f.node.Store, API: api.LocalHandler("cofre", admin.Principal), Region: "us-east-1", Logger: hclog.NewNullLogger(),
	})
	listener, err := admin.Listen(f.path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	f.client = admin.NewClient(f.path, "test/1.0")
	t.Cleanup(func() {
		f.client.Close()
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestGenesisIsRecorded(t *testing.T) {
	f := newFixture(t)
	event := f.node.Events(t)[0]
	if event.EventName != "InitializeCluster" || event.EventSource != "cofre" || event.UserIdentity.Type != "Operator" ||
		event.UserIdentity.PrincipalID != "uid:7" || event.RecipientAccountID != f.root.AccountID || event.EventTime != "1970-01-01T00:00:00Z" {
		t.Errorf("record is %+v", event)
	}
}

func TestCreateAccount(t *testing.T) {
	f := newFixture(t)
	account, err := f.client.CreateAccount(context.Background(), "tenant")
	if err != nil {
		t.Fatal(err)
	}
	if len(account.AccountID) != 12 || account.AccountName != "tenant" || len(account.SecretAccessKey) != 40 || len(account.AccessKeyID) != 20 {
		t.Errorf("account is %+v", account)
	}
	event := f.node.Events(t)[1]
	if event.EventName != "CreateAccount" || event.UserIdentity.PrincipalID != "uid:"+strconv.Itoa(os.Getuid()) || event.UserAgent != "test/1.0" ||
		event.RecipientAccountID != f.root.AccountID || event.ReadOnly || event.SourceIPAddress != "local" {
		t.Errorf("record is %+v", event)
	}
	if raw := f.node.RawEvents(t)[1]; strings.Contains(raw, account.SecretAccessKey) || !strings.Contains(raw, account.AccessKeyID) || !strings.Contains(raw, `"tenant"`) {
		t.Errorf("record is %s", raw)
	}
	if _, err := f.client.CreateAccount(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "ValidationError") {
		t.Errorf("no name: %v", err)
	}
	if events := f.node.Events(t); len(events) != 3 || events[2].ErrorCode != "ValidationError" {
		t.Errorf("records are %+v", events)
	}
}

func TestCreateToken(t *testing.T) {
	f := newFixture(t)
	token, err := f.client.CreateToken(context.Background(), 24)
	if err != nil || token.Token != "token for 24h0m0s" {
		t.Fatalf("%+v, %v", token, err)
	}
	event := f.node.Events(t)[1]
	if event.EventName != "CreateJoinToken" || strings.Contains(f.node.RawEvents(t)[1], "token for") || event.RecipientAccountID != f.root.AccountID {
		t.Errorf("record is %+v", event)
	}
	for _, hours := range []int{0, 169} {
		if _, err := f.client.CreateToken(context.Background(), hours); err == nil {
			t.Errorf("%d hours are fine", hours)
		}
	}
}

func TestRemoveMember(t *testing.T) {
	f, ctx := newFixture(t), context.Background()
	if err := f.client.RemoveMember(ctx, "node2"); err != nil {
		t.Fatal(err)
	}
	event := f.node.RawEvents(t)[1]
	if !strings.Contains(event, `"eventName":"RemoveMember"`) || !strings.Contains(event, `"requestParameters":{"memberName":"node2"}`) {
		t.Errorf("record is %s", event)
	}
	if err := f.client.RemoveMember(ctx, "node/9"); err == nil || !strings.Contains(err.Error(), `No member is called "node/9"`) {
		t.Errorf("a member that there is not: %v", err)
	}
	events := f.node.Events(t)
	if last := events[len(events)-1]; last.EventName != "RemoveMember" || last.ErrorCode != "NotFound" {
		t.Errorf("record is %+v", last)
	}
}

func TestCheckpoint(t *testing.T) {
	f, ctx := newFixture(t), context.Background()
	if checkpoint, err := f.client.Checkpoint(ctx); err != nil || string(checkpoint) != "a note" {
		t.Errorf("%q, %v", checkpoint, err)
	}
	if keys, err := f.client.VerifierKeys(ctx); err != nil || string(keys) != "key1\nkey2\n" {
		t.Errorf("%q, %v", keys, err)
	}
	if err := f.client.DeclareEpoch(ctx); err != nil {
		t.Fatal(err)
	}
	event := f.node.Events(t)[1]
	if event.EventName != "DeclareLedgerEpoch" || event.UserIdentity.Type != "Operator" || event.RecipientAccountID != f.root.AccountID {
		t.Errorf("record is %+v", event)
	}
}

func TestKeyEvent(t *testing.T) {
	f := newFixture(t)
	make := admin.KeyEvent("us-east-1", func() time.Time { return time.Unix(0, 0) })
	raw, err := make(f.node.View(), "node1", "name+hash+key")
	if err != nil {
		t.Fatal(err)
	}
	var event ledger.Event
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	details, _ := event.ServiceEventDetails.(map[string]any)
	if event.EventName != "RegisterLedgerKey" || event.EventType != ledger.EventTypeService || event.RecipientAccountID != f.root.AccountID ||
		event.EventSource != "cofre" || details["node"] != "node1" || details["verifierKey"] != "name+hash+key" {
		t.Errorf("record is %s", raw)
	}
}

func TestBackup(t *testing.T) {
	f := newFixture(t)
	var b strings.Builder
	if err := f.client.Backup(context.Background(), &b); err != nil || b.String() != "a backup" {
		t.Errorf("%q, %v", &b, err)
	}
	if event := f.node.Events(t)[1]; event.EventName != "CreateBackup" || event.UserIdentity.Type != "Operator" {
		t.Errorf("record is %+v", event)
	}
	f.node.Fail = func() (error, error) { return cluster.ErrUnavailable, nil }
	if err := f.client.Backup(context.Background(), io.Discard); err == nil || !strings.Contains(err.Error(), "ServiceUnavailable") {
		t.Errorf("without quorum: %v", err)
	}
}

// TestShutdownEndsWhatWaits: the fixture's end would wait for ever.
func TestShutdownEndsWhatWaits(t *testing.T) {
	f := newFixture(t)
	f.node.without = true
	go func() { _ = f.client.RemoveMember(context.Background(), "node2") }() // it is cut off
	<-f.node.asked
}

func TestFailuresAreAnswered(t *testing.T) {
	f := newFixture(t)
	f.node.Fail = func() (error, error) { return cluster.ErrUnavailable, nil }
	if _, err := f.client.CreateAccount(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "ServiceUnavailable") {
		t.Errorf("an account: %v", err)
	}
	if _, err := f.client.CreateToken(context.Background(), 1); err == nil || !strings.Contains(err.Error(), "ServiceUnavailable") {
		t.Errorf("a token: %v", err)
	}
}

func TestLedger(t *testing.T) {
	f, ctx := newFixture(t), context.Background()
	for range 3000 {
		if _, err := f.node.Transact(ctx, "", func(tx *fsm.Txn) error { tx.SetEvent([]byte(`{"a":"<&>"}`)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	all := f.node.RawEvents(t)
	for _, test := range []struct{ from, limit, first, last int64 }{
		{0, -1, 0, 3001}, {0, 5, 0, 5}, {2999, -1, 2999, 3001}, {1000, 1500, 1000, 2500}, {3001, -1, 3001, 3001}, {9999, 1, 3001, 3001}, {0, 0, 0, 0},
	} {
		var out bytes.Buffer
		if err := f.client.Records(ctx, &out, test.from, test.limit); err != nil {
			t.Fatal(err)
		}
		want := strings.Join(append(all[test.first:test.last:test.last], ""), "\n")
		if out.String() != want {
			t.Errorf("from %d, limit %d: %d bytes instead of %d", test.from, test.limit, out.Len(), len(want))
		}
	}
	if err := f.client.Records(ctx, new(bytes.Buffer), -1, -1); err == nil {
		t.Error("position -1 is fine")
	}
	head, err := f.client.Head(ctx)
	if status := f.node.Store.Status(); err != nil || head.Size != 3001 || head.Root != status.LedgerRoot.String() || head.StateHash != status.StateHash.String() || head.Applied != status.Applied {
		t.Errorf("head is %+v, %v", head, err)
	}
	if status, err := f.client.Status(ctx); err != nil || status.Name != "node1" || status.FSM != f.node.Store.Status() {
		t.Errorf("status is %+v, %v", status, err)
	}
}

func TestSocket(t *testing.T) {
	f := newFixture(t)
	info, err := os.Stat(f.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	if _, err := admin.Listen(f.path); err == nil {
		t.Error("a socket that is in use was taken over")
	}
	stale := filepath.Join(t.TempDir(), "stale")
	first, err := admin.Listen(stale)
	if err != nil {
		t.Fatal(err)
	}
	first.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := admin.Listen(stale)
	if err != nil {
		t.Fatalf("a dead process's socket is not replaced: %v", err)
	}
	_ = second.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(file); err == nil {
		t.Error("a file that is no socket was replaced")
	}
}

func TestBadRequests(t *testing.T) {
	f := newFixture(t)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", f.path)
	}}}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/accounts", `{"accountName":1}`, 400}, {"POST", "/v1/accounts", `{"unknown":1}`, 400}, {"POST", "/v1/accounts", `{`, 400},
		{"POST", "/v1/accounts", `{"accountName":"` + strings.Repeat("x", 300000) + `"}`, 413}, {"PUT", "/v1/accounts", "", 404}, {"GET", "/", "", 404},
		{"GET", "/v1/ledger/records?limit=x", "", 400},
		{"POST", "/v1/test-clock", `{"passed":1}`, 404}, {"GET", "/v1/test-clock", "", 404}, // only builds for tests have it
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "http://admin"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != test.status {
			t.Errorf("%s %s: %d", test.method, test.path, resp.StatusCode)
		}
	}
}

func TestNoNode(t *testing.T) {
	client := admin.NewClient(filepath.Join(t.TempDir(), "none"), "")
	if _, err := client.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "does it run?") {
		t.Errorf("answer is %v", err)
	}
}

// tornLedger fails after its first records.
type tornLedger struct{ admin.Ledger }

func (l tornLedger) Events(from int64, fn func(int64, []byte) (bool, error)) error {
	if from > 0 {
		return errors.New("disk gone")
	}
	_, err := fn(0, []byte("{}"))
	return err
}

func TestATornLedgerIsNoShortOne(t *testing.T) {
	s := httptest.NewServer(admin.New(admin.Config{Ledger: tornLedger{}, Logger: hclog.NewNullLogger()}).Handler())
	defer s.Close()
	resp, err := s.Client().Get(s.URL + "/v1/ledger/records")
	if err != nil {
		return // the connection broke before the first page was sent
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer seems whole: %s", body)
	}
}
