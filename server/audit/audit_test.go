package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

const (
	operatorAccount = "111111111111"
	tenant          = "222222222222"
	stranger        = "333333333333"
	origin          = "cofre/test"
)

// node is a cluster of one whose checkpoints the test signs.
type node struct {
	*servertest.Node
	key     ed25519.PrivateKey
	note    []byte
	publish func() // what Sync does
}

func (n *node) Checkpoint() ([]byte, error) {
	if n.note == nil {
		return nil, cluster.ErrNoCheckpoint
	}
	return n.note, nil
}

func (n *node) VerifierKeys() ([]string, error) {
	public := n.key.Public().(ed25519.PublicKey)
	return []string{ledger.LogKey(origin, public), ledger.CosignerKey(origin, "node1", public)}, nil
}

func (n *node) Hashes() tlog.HashReader { return n.Store }

func (n *node) Sync(context.Context) error {
	if n.publish != nil {
		n.publish()
	}
	return nil
}

// fixture is the service over a ledger of ids' records, a second after another.
type fixture struct {
	*Service
	t    *testing.T
	node *node
	ids  []string
	deny bool
}

// Permit implements Access.
func (f *fixture) Permit(*fsm.Txn, *call.Call, string, string) error {
	if f.deny {
		return call.Errorf("AccessDenied", "no policy allows it")
	}
	return nil
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newFixture(t *testing.T) *fixture {
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	f := &fixture{t: t, node: &node{Node: servertest.New(t), key: key}}
	f.Service = New(Config{Node: f.node, Ledger: f.node.Store, Access: f})
	_, err = f.node.Transact(t.Context(), "", func(tx *fsm.Txn) error {
		return state.Systems.Put(tx, &state.System{Operator: operatorAccount}, state.SystemID)
	})
	must(t, err)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// idOf is a request id of an instant.
func idOf(at time.Time, n int) string {
	ms := at.UnixMilli()
	return fmt.Sprintf("%08x-%04x-7%03x-8000-%012x", ms>>16, ms&0xffff, n&0xfff, n)
}

// add appends the record of a request.
func (f *fixture) add(at time.Time, account string) string {
	f.t.Helper()
	id := idOf(at, len(f.ids))
	event := fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{},"eventTime":%q,"requestID":%q,"recipientAccountId":%q}`,
		at.Format(time.RFC3339), id, account)
	_, err := f.node.Transact(f.t.Context(), "", func(tx *fsm.Txn) error { tx.SetEvent([]byte(event)); return nil })
	must(f.t, err)
	f.ids = append(f.ids, id)
	return id
}

// sign publishes a checkpoint of the ledger as it stands.
func (f *fixture) sign() {
	f.t.Helper()
	status := f.node.Store.Status()
	note, err := ledger.Sign(ledger.Checkpoint{Origin: origin, Size: status.LedgerSize, Root: status.LedgerRoot}, "node1", f.node.key, time.Now())
	must(f.t, err)
	f.node.note = note
}

// ask runs an operation for a principal of an account.
func ask[Req any](f *fixture, account string, run func(context.Context, *fsm.Txn, *call.Call, *Req) (any, error), q Req) ([]byte, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 200*time.Millisecond)
	defer cancel()
	c := &call.Call{Principal: call.Principal{AccountID: account}}
	response, err := run(ctx, fsm.NewTxn(f.node.Store), c, &q)
	if err != nil {
		return nil, err
	}
	return response.(*rest.Raw).Body, nil
}

func wantStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	refusal := (*call.Error)(nil)
	if !errors.As(err, &refusal) || refusal.Status != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
	}
}

func (f *fixture) keys() *ledger.Keys {
	f.t.Helper()
	text, err := ask(f, stranger, f.listKeys, nothing{})
	must(f.t, err)
	keys, err := ledger.ParseKeys(strings.NewReader(string(text)))
	must(f.t, err)
	return keys
}

func TestProofOfARequest(t *testing.T) {
	f := newFixture(t)
	for i := range 300 {
		f.add(start.Add(time.Duration(i)*time.Second), tenant)
	}
	f.sign()
	for _, account := range []string{operatorAccount, tenant} {
		text, err := ask(f, account, f.getProof, proofRequest{f.ids[123]})
		must(t, err)
		proof, err := ledger.ParseProof(text)
		must(t, err)
		if c, err := proof.Verify(proof.Extra, f.keys()); err != nil || proof.Index != 123 || c.Size != 300 {
			t.Errorf("record %d of %d: %v", proof.Index, c.Size, err)
		}
		if !strings.Contains(string(proof.Extra), f.ids[123]) {
			t.Errorf("the record is %s", proof.Extra)
		}
	}
	_, err := ask(f, stranger, f.getProof, proofRequest{f.ids[123]})
	wantStatus(t, "another account", err, http.StatusForbidden)
	_, again := ask(f, stranger, f.getProof, proofRequest{idOf(start, 0xabc)})
	if err == nil || again == nil || err.Error() != again.Error() {
		t.Errorf("another account learns whether there is a record: %v, %v", err, again)
	}
	for _, id := range []string{idOf(start, 0xabc), idOf(start.Add(-time.Hour), 0), idOf(start.Add(time.Hour), 0), strings.Repeat("x", 36), "00000000-0000-4000-8000-000000000000"} {
		_, err := ask(f, operatorAccount, f.getProof, proofRequest{id})
		wantStatus(t, id, err, http.StatusNotFound)
	}
	f.deny = true
	if _, err := ask(f, operatorAccount, f.getProof, proofRequest{f.ids[1]}); err == nil {
		t.Error("no policy allows it")
	}
}

// TestProofWaits: the record arrives at this node, and a
// checkpoint of it later.
func TestProofWaits(t *testing.T) {
	f := newFixture(t)
	f.add(start, tenant)
	f.sign()
	id := idOf(start, 1)
	f.node.publish = func() { f.node.publish = nil; f.add(start, tenant) }
	_, err := ask(f, tenant, f.getProof, proofRequest{id})
	wantStatus(t, "a record that no checkpoint covers", err, http.StatusServiceUnavailable)
	f.sign()
	_, err = ask(f, tenant, f.getProof, proofRequest{id})
	must(t, err)
}

// TestRecordsAreFoundOutOfOrder: they stand up to a request's deadline later than
// their dates say, and by the clocks of several nodes.
func TestRecordsAreFoundOutOfOrder(t *testing.T) {
	for _, disorder := range []time.Duration{time.Second, 30 * time.Second, 4 * time.Minute} {
		f := newFixture(t)
		r := rand.New(rand.NewPCG(1, uint64(disorder)))
		for i := range 500 {
			f.add(start.Add(time.Duration(i)*time.Second+time.Duration(r.Int64N(int64(disorder)))), tenant)
		}
		for want, id := range f.ids {
			if got, found, err := f.find(id); err != nil || !found || got != int64(want) {
				t.Fatalf("disorder %v: record %d is at %d, %v, %v", disorder, want, got, found, err)
			}
		}
	}
}

func TestTilesAndBundles(t *testing.T) {
	f := newFixture(t)
	for i := range 600 {
		f.add(start.Add(time.Duration(i)*time.Second), tenant)
	}
	f.sign()
	checkpoint, err := ask(f, stranger, f.getCheckpoint, nothing{})
	must(t, err)
	c, err := f.keys().Open(checkpoint)
	must(t, err)
	var leaves []tlog.Hash
	for _, path := range []string{"entries/000", "entries/001", "entries/002.p/88"} {
		bundle, err := ask(f, operatorAccount, f.getTile, tileRequest{path})
		must(t, err)
		records, err := ledger.Entries(bundle)
		must(t, err)
		for _, record := range records {
			leaves = append(leaves, tlog.RecordHash(record))
		}
		_, err = ask(f, tenant, f.getTile, tileRequest{path})
		wantStatus(t, path+" for another account", err, http.StatusForbidden)
	}
	var hashes []tlog.Hash
	for _, path := range []string{"0/000", "0/001", "0/002.p/88"} {
		tile, err := ask(f, stranger, f.getTile, tileRequest{path})
		must(t, err)
		for chunk := range slices.Chunk(tile, tlog.HashSize) {
			hashes = append(hashes, tlog.Hash(chunk))
		}
	}
	if !slices.Equal(leaves, hashes) || len(leaves) != 600 {
		t.Errorf("%d records in the bundles, %d hashes in the tiles", len(leaves), len(hashes))
	}
	audit := ledger.NewAudit(c)
	must(t, f.node.Store.Events(0, func(_ int64, event []byte) (bool, error) { audit.Add(event); return true, nil }))
	must(t, audit.Finish())

	f.add(start, tenant) // not covered
	for _, path := range []string{"0/003", "0/002.p/89", "0/002", "entries/002.p/89", "9/000", "x", "0/../000", "1/001"} {
		_, err := ask(f, operatorAccount, f.getTile, tileRequest{path})
		wantStatus(t, path, err, http.StatusNotFound)
	}
}

func TestConsistencyProof(t *testing.T) {
	f := newFixture(t)
	for i := range 40 {
		f.add(start.Add(time.Duration(i)*time.Second), tenant)
	}
	f.sign()
	run := func(from, to int) (*Consistency, error) {
		response, err := f.getConsistencyProof(t.Context(), fsm.NewTxn(f.node.Store), new(call.Call), &consistencyRequest{from, to})
		if err != nil {
			return nil, err
		}
		return response.(*Consistency), nil
	}
	answer, err := run(17, 40)
	must(t, err)
	var proof tlog.TreeProof
	for _, text := range answer.Proof {
		raw, err := base64.StdEncoding.DecodeString(text)
		must(t, err)
		proof = append(proof, tlog.Hash(raw))
	}
	old, err := tlog.TreeHash(17, f.node.Store)
	must(t, err)
	must(t, tlog.CheckTree(proof, 40, f.node.Store.Status().LedgerRoot, 17, old))
	for _, sizes := range [][2]int{{41, 41}, {20, 19}, {1, 41}} {
		_, err := run(sizes[0], sizes[1])
		wantStatus(t, fmt.Sprint(sizes), err, http.StatusNotFound)
	}
}

func TestNoCheckpointYet(t *testing.T) {
	f := newFixture(t)
	_, err := ask(f, operatorAccount, f.getCheckpoint, nothing{})
	wantStatus(t, "the checkpoint", err, http.StatusNotFound)
	_, err = ask(f, operatorAccount, f.getTile, tileRequest{"0/000"})
	wantStatus(t, "a tile", err, http.StatusNotFound)
}
