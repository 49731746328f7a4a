package kms_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
)

const (
	account = "111122223333"
	foreign = "444455556666"
	region  = "eu-central-1"
	absent  = "00000000-0000-4000-8000-000000000000"
)

// start is when every fixture's clock begins.
var start = time.Date(2026, 8, 10, 22, 38, 27, 123_000_000, time.UTC)

// fixture is the service on a cluster of one.
type fixture struct {
	testing.TB
	node       *servertest.Node
	hsm        *servertest.HSM
	service    *kms.Service
	operations map[string]call.Operation
	now        time.Time
	ahead      atomic.Int64 // by how much the steward's clock is ahead of now
	calls      atomic.Int64
	// account and region are those of the next calls.
	account, region string
	// caller is who makes them; nil is the account's administrator.
	caller *call.Principal
	// quota, where set, is asked for each group that a call is charged to.
	quota func(group string) bool
	// maxKeys is the quota of keys; 0 is the usual one. It counts from use on.
	maxKeys int
	// proxies and attestation are what use gives the service.
	proxies     *xks.Client
	clusters    kms.Clusters
	attestation *attestation.Verifier
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{TB: t, node: servertest.New(t), hsm: servertest.NewHSM(t), now: start, account: account, region: region}
	f.use(f.hsm)
	f.initialize(f.hsm)
	for _, id := range []string{account, foreign} {
		f.write(func(tx *fsm.Txn) error { return addAdministrator(tx, id) })
	}
	return f
}

// admin is the administrator of an account.
func admin(account string) *call.Principal {
	return &call.Principal{
		Type: "IAMUser", AccountID: account, ARN: "arn:aws:iam::" + account + ":user/admin",
		PrincipalID: "AIDAADMIN" + account, UserName: "admin",
	}
}

// addAdministrator writes an account and its administrator, whom AWS's policy
// allows everything, as identity.Service does.
func addAdministrator(tx *fsm.Txn, account string) error {
	const access = managed.AdministratorAccess
	who := admin(account)
	user := &state.User{AccountID: account, Name: who.UserName, Path: "/", ID: who.PrincipalID}
	return errors.Join(
		state.Accounts.Put(tx, &state.Account{ID: account}, account),
		state.Directories.Put(tx, &state.Directory{}, account),
		state.Users.Put(tx, user, account, user.Name),
		state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.UserKind, Name: user.Name}, user.ID),
		state.Attachments.Put(tx, &state.Attachment{ARN: access}, account, user.ID, access),
	)
}

// use makes the service anew on a partition.
func (f *fixture) use(partition kms.HSM) {
	f.service = kms.New(kms.Config{
		HSM: partition, Generation: func() hsm.Generation { return 1 }, Attestation: f.attestation,
		Proxies: f.proxies, Clusters: f.clusters,
		Regions: []string{region, "us-east-1", "us-west-2"},
		MaxKeys: f.maxKeys,
	})
	f.operations = map[string]call.Operation{}
	for _, op := range f.service.Operations() {
		f.operations[op.Name] = op
	}
}

// initialize gives the cluster a secrets key of the partition.
func (f *fixture) initialize(partition kms.HSM) {
	f.Helper()
	secrets, err := partition.GenerateKey(f.Context(), 1, hsm.SymmetricDefault)
	if err != nil {
		f.Fatal(err)
	}
	_, err = f.node.Transact(f.Context(), f.account, func(tx *fsm.Txn) error {
		return state.Systems.Put(tx, &state.System{Generation: 1, SecretsKey: secrets}, state.SystemID)
	})
	if err != nil {
		f.Fatal(err)
	}
}

type m = map[string]any

// answer is a response as a client reads it.
type answer m

func (a answer) text(name string) string {
	s, _ := a[name].(string)
	return s
}

func (a answer) bytes(name string) []byte {
	b, err := base64.StdEncoding.DecodeString(a.text(name))
	if err != nil {
		panic(err)
	}
	return b
}

func (a answer) object(name string) answer {
	o, _ := a[name].(map[string]any)
	return o
}

func (a answer) list(name string) []any {
	l, _ := a[name].([]any)
	return l
}

// try calls an operation with a body, as the front end does.
func (f *fixture) try(operation string, body []byte) (answer, error) {
	f.calls.Add(1)
	op, known := f.operations[operation]
	if !known {
		f.Fatalf("there is no operation %s", operation)
	}
	request, err := op.Decode(body)
	if err != nil {
		return nil, err
	}
	c := f.newCall()
	var response any
	var refusal *call.Error
	run := func(tx *fsm.Txn) (err error) {
		response, refusal, err = record.Perform(f.Context(), tx, c, &op, request)
		return err
	}
	_, err = f.node.Transact(f.Context(), f.account, run)
	if first := (*call.First)(nil); errors.As(err, &first) {
		if _, err := f.node.Transact(f.Context(), f.account, func(tx *fsm.Txn) error { return first.Run(f.Context(), tx) }); err != nil {
			f.Fatal(err)
		}
		_, err = f.node.Transact(f.Context(), f.account, run)
	}
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	if later, ok := response.(call.Later); ok {
		if response, err = later(f.node.View()); err != nil {
			return nil, err
		}
	}
	return read(f, response)
}

func (f *fixture) newCall() *call.Call {
	caller := *admin(f.account)
	if f.caller != nil {
		caller = *f.caller
	}
	return &call.Call{
		Service: "kms", RequestID: fmt.Sprintf("request-%d", f.calls.Load()), EventID: fmt.Sprintf("event-%d", f.calls.Load()),
		Time: f.now, Region: f.region, SourceIP: "192.0.2.1", UserAgent: "test",
		Principal: caller, Quota: f.quota,
	}
}

// read answers what a client reads of a response.
func read(t testing.TB, response any) (answer, error) {
	if response == nil {
		return nil, nil
	}
	b, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	return a, nil
}

// do calls an operation that succeeds.
func (f *fixture) do(operation string, request m) answer {
	f.Helper()
	a, err := f.try(operation, encode(f, request))
	if err != nil {
		f.Fatalf("%s %v: %v", operation, request, err)
	}
	return a
}

// refuse calls an operation that answers an exception: "Code" or "Code: message".
func (f *fixture) refuse(operation string, request m, want string) {
	f.Helper()
	f.refuseBody(operation, encode(f, request), want)
}

// refuseStart is refuse, where only the start of the message is AWS's.
func (f *fixture) refuseStart(operation string, request m, want string) {
	f.Helper()
	_, err := f.try(operation, encode(f, request))
	var e *call.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Error(), want) {
		f.Fatalf("%s %.300s:\ngot  %v\nwant %s…", operation, encode(f, request), err, want)
	}
}

func (f *fixture) refuseBody(operation string, body []byte, want string) {
	f.Helper()
	before := len(f.node.RawEvents(f))
	_, err := f.try(operation, body)
	var e *call.Error
	if !errors.As(err, &e) || e.Error() != want {
		f.Fatalf("%s %.300s:\ngot  %v\nwant %s", operation, body, err, want)
	}
	if e.Status != 400 {
		f.Errorf("%s: status %d", operation, e.Status)
	}
	if n := len(f.node.RawEvents(f)) - before; n != 1 && !decoding(e) {
		f.Errorf("%s: the refusal left %d records", operation, n)
	}
}

// decoding says whether a refusal may come before the transaction; the front end
// records those.
func decoding(e *call.Error) bool {
	return e.Code == "ValidationException" || e.Code == "SerializationException"
}

func encode(t testing.TB, request m) []byte {
	b, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// create makes a key and answers its id and ARN.
func (f *fixture) create(request m) (id, arn string) {
	f.Helper()
	metadata := f.do("CreateKey", request).object("KeyMetadata")
	return metadata.text("KeyId"), metadata.text("Arn")
}

// encrypt encrypts with a key and answers the ciphertext, in base64.
func (f *fixture) encrypt(id, plaintext string, context m) string {
	f.Helper()
	return f.do("Encrypt", m{"KeyId": id, "Plaintext": []byte(plaintext), "EncryptionContext": context}).text("CiphertextBlob")
}

// edit changes a key as no operation of today does.
func (f *fixture) edit(id string, change func(*state.Key)) {
	f.Helper()
	_, err := f.node.Transact(context.Background(), f.account, func(tx *fsm.Txn) error {
		k, err := state.Keys.Get(tx, f.account, f.region, id)
		if err != nil {
			return err
		}
		next := *k
		change(&next)
		return state.Keys.Put(tx, &next, f.account, f.region, id)
	})
	if err != nil {
		f.Fatal(err)
	}
}

// event answers the last audit record.
func (f *fixture) event() ledger.Event {
	f.Helper()
	events := f.node.Events(f)
	return events[len(events)-1]
}

// recorded answers a member of the last audit record as JSON.
func (f *fixture) recorded(of func(ledger.Event) any) string {
	f.Helper()
	b, err := json.Marshal(of(f.event()))
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

func requestParameters(e ledger.Event) any { return e.RequestParameters }
func responseElements(e ledger.Event) any  { return e.ResponseElements }
func additional(e ledger.Event) any        { return e.AdditionalEventData }

// resources answers the ARNs of the last record's resources.
func (f *fixture) resources() string {
	var arns []string
	for _, r := range f.event().Resources {
		arns = append(arns, r.Type+" "+r.ARN)
	}
	return strings.Join(arns, "\n")
}

func keyARN(id string) string { return "arn:aws:kms:" + region + ":" + account + ":key/" + id }

func aliasARN(name string) string { return "arn:aws:kms:" + region + ":" + account + ":" + name }
