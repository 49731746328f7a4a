package iam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/iam"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

// fixture is the service on a cluster of one, called by an account's
// administrator unless a test says otherwise.
type fixture struct {
	*testing.T
	node       *servertest.Node
	identity   *identity.Service
	operations map[string]call.Operation
	root       *identity.Credentials
	caller     call.Principal
	now        time.Time
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{
		T: t, node: servertest.New(t), identity: identity.New(identity.Config{HSM: servertest.NewHSM(t)}),
		operations: map[string]call.Operation{}, now: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
	}
	for _, op := range iam.New(iam.Config{Keys: f.identity, Access: authz.New()}).Operations() {
		f.operations[op.Name] = op
	}
	f.change(func(tx *fsm.Txn) (err error) {
		f.root, err = f.identity.Genesis(t.Context(), tx, 1, "operators")
		return err
	})
	f.caller = f.principal(f.root.AccessKeyID)
	return f
}

// change commits a change that no operation makes.
func (f *fixture) change(run func(tx *fsm.Txn) error) {
	f.Helper()
	if _, err := f.node.Transact(context.Background(), "", run); err != nil {
		f.Fatal(err)
	}
}

// principal is whom an access key stands for.
func (f *fixture) principal(accessKey string) (p call.Principal) {
	f.Helper()
	f.change(func(tx *fsm.Txn) error {
		who, _, err := f.identity.Authenticate(tx, accessKey)
		if err == nil && who == nil {
			err = fmt.Errorf("%s stands for nobody", accessKey)
		}
		if err == nil {
			p = *who
		}
		return err
	})
	return p
}

// account makes another account and answers its administrator.
func (f *fixture) account(name string) call.Principal {
	f.Helper()
	var made *identity.Credentials
	f.change(func(tx *fsm.Txn) (err error) {
		made, err = f.identity.CreateAccount(f.Context(), tx, name)
		return err
	})
	return f.principal(made.AccessKeyID)
}

// as runs a test's part in the name of somebody else.
func (f *fixture) as(p call.Principal, run func()) {
	f.Helper()
	mine := f.caller
	f.caller = p
	defer func() { f.caller = mine }()
	run()
}

// do calls an operation with names and values of its form, one after the other.
func (f *fixture) do(operation string, form ...string) (string, error) {
	f.Helper()
	op, ok := f.operations[operation]
	if !ok {
		f.Fatalf("there is no operation %s", operation)
	}
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	request, err := op.Decode([]byte(values.Encode()))
	if err != nil {
		return "", err
	}
	c := &call.Call{Service: "iam", RequestID: "r", EventID: "e", Time: f.now, Region: iam.Region, Principal: f.caller}
	var response any
	var refusal *call.Error
	if _, err := f.node.Transact(f.Context(), "", func(tx *fsm.Txn) (err error) {
		response, refusal, err = record.Perform(f.Context(), tx, c, &op, request)
		return err
	}); err != nil {
		f.Fatal(err)
	}
	if refusal != nil {
		return "", refusal
	}
	var out bytes.Buffer
	if err := query.Response(&out, iam.Namespace, operation, "r", response); err != nil {
		f.Fatal(err)
	}
	return out.String(), nil
}

// ok calls an operation that must succeed.
func (f *fixture) ok(operation string, form ...string) string {
	f.Helper()
	answer, err := f.do(operation, form...)
	if err != nil {
		f.Fatalf("%s %q: %v", operation, form, err)
	}
	return answer
}

// refuse calls an operation that must be refused in these words, and change
// nothing.
func (f *fixture) refuse(want, operation string, form ...string) {
	f.Helper()
	before := f.revision()
	answer, err := f.do(operation, form...)
	if err == nil || err.Error() != want {
		f.Errorf("%s %q: %v %s\nwant %s", operation, form, err, answer, want)
	}
	if f.revision() != before {
		f.Errorf("%s %q: refused, and has changed something", operation, form)
	}
}

// revision is that of the account's directory, which every change touches.
func (f *fixture) revision() fsm.Rev {
	f.Helper()
	_, revision, err := state.Directories.Peek(f.node.View(), f.root.AccountID)
	if err != nil {
		f.Fatal(err)
	}
	return revision
}

// status is the HTTP status of a refusal.
func (f *fixture) status(operation string, form ...string) int {
	f.Helper()
	_, err := f.do(operation, form...)
	if refusal := (*call.Error)(nil); errors.As(err, &refusal) {
		return refusal.Status
	}
	return 200
}

// values are what the elements of a name hold, in the order of the answer.
func values(answer, name string) (list []string) {
	for _, found := range regexp.MustCompile("<"+name+">([^<]*)</"+name+">").FindAllStringSubmatch(answer, -1) {
		list = append(list, found[1])
	}
	return list
}

// value is what the only element of a name holds.
func (f *fixture) value(answer, name string) string {
	f.Helper()
	list := values(answer, name)
	if len(list) != 1 {
		f.Fatalf("%d elements %s in %s", len(list), name, answer)
	}
	return list[0]
}

// has says that an answer has these parts.
func (f *fixture) has(answer string, parts ...string) {
	f.Helper()
	for _, part := range parts {
		if !strings.Contains(answer, part) {
			f.Errorf("no %s in %s", part, answer)
		}
	}
}

// recorded are the members of the last record that depend on the operation.
func (f *fixture) recorded() string {
	f.Helper()
	raw := f.node.RawEvents(f.T)
	var event struct {
		EventName         string          `json:"eventName"`
		ReadOnly          bool            `json:"readOnly"`
		ErrorCode         string          `json:"errorCode"`
		RequestParameters json.RawMessage `json:"requestParameters"`
		ResponseElements  json.RawMessage `json:"responseElements"`
	}
	if err := json.Unmarshal([]byte(raw[len(raw)-1]), &event); err != nil {
		f.Fatal(err)
	}
	return fmt.Sprintf("%s %v %s%s %s", event.EventName, event.ReadOnly, event.ErrorCode, event.RequestParameters, event.ResponseElements)
}

// member makes a user with an inline policy, and answers it as a caller.
func (f *fixture) member(name, policy string) call.Principal {
	f.Helper()
	f.ok("CreateUser", "UserName", name)
	if policy != "" {
		f.ok("PutUserPolicy", "UserName", name, "PolicyName", "own", "PolicyDocument", policy)
	}
	return f.principal(f.value(f.ok("CreateAccessKey", "UserName", name), "AccessKeyId"))
}

// document is a policy of one statement.
func document(effect, actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":["` + strings.Join(strings.Fields(actions), `","`) +
		`"],"Resource":"*"}]}`
}

// trusting is a trust policy for an AWS principal.
func trusting(arn string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":"sts:AssumeRole"}]}`
}
