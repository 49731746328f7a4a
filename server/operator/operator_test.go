package operator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/hashicorp/go-hclog"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/state"
)

// node adds to a cluster of one what the operations ask for.
type node struct {
	*servertest.Node
	members []cluster.Admitted
}

func (n *node) Status() cluster.Status {
	return cluster.Status{
		Name: "node1", Leader: "node1", State: "Leader", FSM: n.Store.Status(),
		Members: []cluster.Member{{Name: "node1", Address: "127.0.0.1:7000", Voter: true}, {Name: "node2", Address: "127.0.0.1:7001"}},
		HSM:     hsm.Info{Kind: "soft", Label: "cofre", Maker: "Cofre", Specs: []hsm.KeySpec{hsm.SymmetricDefault}},
	}
}

func (n *node) NewToken(context.Context, *fsm.Txn, time.Duration) (string, error) {
	return "cofre-join-1.planted", nil
}

func (n *node) Members(fsm.View) ([]cluster.Admitted, error) { return n.members, nil }

func (n *node) Expel(_ *fsm.Txn, name string) error {
	for i := range n.members {
		if n.members[i].Name == name {
			n.members[i].Removed = 1
			return nil
		}
	}
	return cluster.ErrNoMember
}

// fixture is a server before a cluster of one, and the OpenAPI document that all
// exchanges are held against.
type fixture struct {
	t        testing.TB
	node     *node
	identity *identity.Service
	handler  http.Handler
	root     *operator.Credentials
	now      time.Time
	openAPI  validator.Validator
	asked    map[string]bool // operations that have answered
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), asked: map[string]bool{},
		node: &node{servertest.New(t), []cluster.Admitted{{Name: "node1", Serial: "s1"}, {Name: "node2"}, {Name: "node3"}}},
	}
	partition := servertest.NewHSM(t)
	f.identity = identity.New(identity.Config{HSM: partition, Now: func() time.Time { return f.now }})
	access := authz.New()
	service := kms.New(kms.Config{HSM: partition, Generation: func() hsm.Generation { return 1 }, Regions: []string{"us-east-1"}, Access: access})
	routes := rest.WithDescription("Cofre", "test", operator.New(operator.Config{
		Node: f.node, Identities: f.identity, Access: access, Regions: []string{"us-east-1"}, Version: "test",
	}).Routes())
	s, err := server.New(server.Config{
		Node: f.node, Identity: f.identity, Regions: []string{"us-east-1"}, Now: func() time.Time { return f.now }, Logger: hclog.NewNullLogger(),
		Services: []server.Service{
			{Name: "kms", Protocol: server.JSON("TrentService"), Operations: service.Operations()},
			{Name: "cofre", Protocol: server.REST("/v1/", routes), Operations: rest.Operations(routes)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.handler = s.Handler()
	f.change(func(tx *fsm.Txn) error {
		root, err := f.identity.Genesis(t.Context(), tx, 1, "operators")
		if err == nil {
			f.root = operator.NewCredentials(root)
		}
		return err
	})
	f.openAPI = f.document()
	return f
}

func (f *fixture) change(do func(*fsm.Txn) error) {
	f.t.Helper()
	if _, err := f.node.Transact(f.t.Context(), "", do); err != nil {
		f.t.Fatal(err)
	}
}

// document asks for the OpenAPI document and checks that it is one.
func (f *fixture) document() validator.Validator {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, f.request(f.root, "GET", "/v1/openapi.json", ""))
	document, err := libopenapi.NewDocument(w.Body.Bytes())
	if err != nil {
		f.t.Fatalf("%v: %s", err, w.Body)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		f.t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			f.t.Errorf("the document is not valid: %s: %s %v", p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
	return v
}

func (f *fixture) request(as *operator.Credentials, method, target, body string) *http.Request {
	f.t.Helper()
	r := httptest.NewRequest(method, "https://kms.example.com"+target, strings.NewReader(body))
	r.RequestURI = target
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	f.sign(r, as, "cofre", body)
	return r
}

func (f *fixture) sign(r *http.Request, as *operator.Credentials, service, body string) {
	f.t.Helper()
	hash := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(f.t.Context(), aws.Credentials{
		AccessKeyID: as.AccessKeyID, SecretAccessKey: as.SecretAccessKey,
	}, r, hex.EncodeToString(hash[:]), service, "us-east-1", f.now)
	if err != nil {
		f.t.Fatal(err)
	}
}

// ask asks for an operation, decodes the answer into response, and answers the
// status and the problem's code. Request and answer are held against the OpenAPI
// document.
func (f *fixture) ask(as *operator.Credentials, method, target, body string, response any) (int, rest.Problem) {
	f.t.Helper()
	r := f.request(as, method, target, body)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	raw := w.Body.Bytes()
	var failed rest.Failure
	if w.Code != http.StatusOK {
		if err := json.Unmarshal(raw, &failed); err != nil {
			f.t.Errorf("%s %s: %s: %v", method, target, raw, err)
		}
	} else if response != nil {
		if err := json.Unmarshal(raw, response); err != nil {
			f.t.Errorf("%s %s: %s: %v", method, target, raw, err)
		}
	}
	f.check(r, body, w)
	return w.Code, failed.Error
}

// check holds an exchange against the document. What the server finds to be no
// valid request has no valid one to be held against.
func (f *fixture) check(r *http.Request, body string, w *httptest.ResponseRecorder) {
	f.t.Helper()
	invalid := w.Code == http.StatusBadRequest || w.Code == http.StatusNotFound && strings.Contains(w.Body.String(), "InvalidAction")
	r.Body = io.NopCloser(bytes.NewReader([]byte(body)))
	if ok, problems := f.openAPI.ValidateHttpRequest(r); ok == invalid {
		for _, p := range problems {
			f.t.Errorf("%s %s %s: the document refuses the request: %s %s", r.Method, r.URL, body, p.Message, p.Reason)
		}
		if ok {
			f.t.Errorf("%s %s %s: the document allows the request, which the server refuses with %s", r.Method, r.URL, body, w.Body)
		}
	}
	if invalid {
		return
	}
	if ok, problems := f.openAPI.ValidateHttpResponse(r, w.Result()); !ok {
		for _, p := range problems {
			f.t.Errorf("%s %s: the document refuses the answer %s: %s %s %v", r.Method, r.URL, w.Body, p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
}

func (f *fixture) refuse(as *operator.Credentials, method, target, body string, status int, code, message string) {
	f.t.Helper()
	if got, p := f.ask(as, method, target, body, nil); got != status || p.Code != code || !strings.Contains(p.Message, message) {
		f.t.Errorf("%s %s %s: %d %+v", method, target, body, got, p)
	}
}

func (f *fixture) must(as *operator.Credentials, method, target, body string, response any) {
	f.t.Helper()
	if got, p := f.ask(as, method, target, body, response); got != http.StatusOK {
		f.t.Fatalf("%s %s %s: %d %+v", method, target, body, got, p)
	}
}

func (f *fixture) last() ledger.Event {
	f.t.Helper()
	events := f.node.Events(f.t)
	return events[len(events)-1]
}

// kms asks for an operation of KMS's own API, and answers status and body.
func (f *fixture) kms(as *operator.Credentials, operation, body string) (int, string) {
	f.t.Helper()
	r := httptest.NewRequest("POST", "https://kms.example.com/", strings.NewReader(body))
	r.RequestURI = "/"
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	f.sign(r, as, "kms", body)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// createKey asks for a key, and answers the status.
func (f *fixture) createKey(as *operator.Credentials) int {
	f.t.Helper()
	status, _ := f.kms(as, "CreateKey", "{}")
	return status
}

func TestAccounts(t *testing.T) {
	f := newFixture(t)
	var made operator.Credentials
	f.must(f.root, "POST", "/v1/accounts", `{"accountName":"tenant one"}`, &made)
	event := f.last()
	if event.EventName != "CreateAccount" || event.EventSource != "cofre" || event.RecipientAccountID != f.root.AccountID ||
		fmt.Sprint(event.RequestParameters) == "" || event.UserIdentity.AccessKeyID != f.root.AccessKeyID {
		t.Errorf("record is %+v", event)
	}
	raw := f.node.RawEvents(t)
	if last := raw[len(raw)-1]; strings.Contains(last, made.SecretAccessKey) || !strings.Contains(last, made.AccessKeyID) {
		t.Errorf("record is %s", last)
	}
	tenant := &made
	var account operator.Account
	f.must(f.root, "GET", "/v1/accounts/"+made.AccountID, "", &account)
	if account.AccountName != "tenant one" || account.State != "ACTIVE" || account.Operator || account.Closed != nil {
		t.Errorf("%+v", account)
	}

	// A tenant's administrator is nobody here.
	f.refuse(tenant, "GET", "/v1/accounts", "", 403, "AccessDenied", "is not authorized to perform: cofre:ListAccounts on resource: arn:aws:cofre::"+
		f.root.AccountID+":account/* because only principals of the operator account may")
	f.refuse(tenant, "DELETE", "/v1/accounts/"+made.AccountID, "", 403, "AccessDenied", "only principals of the operator account may")

	// Deletion is guarded.
	path := "/v1/accounts/" + made.AccountID
	f.refuse(f.root, "DELETE", path, "", 409, "Conflict", "Only a closed account can be deleted.")
	f.refuse(f.root, "POST", "/v1/accounts/"+f.root.AccountID+"/close", "", 409, "Conflict", "operator account")
	if status := f.createKey(tenant); status != 200 {
		t.Fatalf("no key: %d", status)
	}
	f.must(f.root, "POST", path+"/close", "", &account)
	if account.State != "CLOSED" || account.Closed == nil {
		t.Errorf("%+v", account)
	}
	f.refuse(f.root, "POST", path+"/close", "", 409, "Conflict", "The account is CLOSED already.")
	if status := f.createKey(tenant); status != 400 {
		t.Errorf("a closed account's administrator makes a key: %d", status)
	}
	f.refuse(tenant, "GET", "/v1/openapi.json", "", 403, "InvalidClientTokenId", "")
	f.refuse(f.root, "DELETE", path, "", 409, "Conflict", "The account has keys.")
	f.must(f.root, "POST", path+"/reopen", "", &account)
	if status := f.createKey(tenant); status != 200 {
		t.Errorf("a reopened account's administrator makes no key: %d", status)
	}
	f.refuse(f.root, "POST", path+"/reopen", "", 409, "Conflict", "The account is ACTIVE already.")
	f.change(func(tx *fsm.Txn) error {
		return state.Keys.Scan(tx.View(), []string{made.AccountID}, nil, func(id []string, _ *state.Key) (bool, error) {
			state.Keys.Delete(tx, id...)
			return true, nil
		})
	})
	f.must(f.root, "POST", path+"/close", "", nil)
	f.must(f.root, "DELETE", path, "", nil)
	f.refuse(f.root, "GET", path, "", 404, "NotFound", "There is no account "+made.AccountID)
	f.refuse(tenant, "GET", "/v1/openapi.json", "", 403, "InvalidClientTokenId", "")
	f.nothingLeft(made.AccountID, made.AccessKeyID)
}

// nothingLeft looks for what IAM knew of an account.
func (f *fixture) nothingLeft(accountID, accessKeyID string) {
	f.t.Helper()
	view := f.node.View()
	for _, table := range []string{"account", "directory", "user", "user-access-key", "attachment", "attached-to", "identity"} {
		err := view.Scan(fsm.NewKey(table), "", func(key fsm.Key, r *fsm.Record) (bool, error) {
			if strings.Contains(string(key), accountID) || strings.Contains(string(r.Value), accountID) {
				f.t.Errorf("%q is left", key)
			}
			return true, nil
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if key, _, err := state.AccessKeys.Peek(view, accessKeyID); err != nil || key != nil {
		f.t.Errorf("the access key is left: %+v, %v", key, err)
	}
}

// TestAClosedAccountsKeysServeNobody: not even another account that its key policy
// lets in.
func TestAClosedAccountsKeysServeNobody(t *testing.T) {
	f := newFixture(t)
	var owner, user operator.Credentials
	f.must(f.root, "POST", "/v1/accounts", `{"accountName":"owner"}`, &owner)
	f.must(f.root, "POST", "/v1/accounts", `{"accountName":"user"}`, &user)
	text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["` + owner.AccountID + `","` + user.AccountID +
		`"]},"Action":"kms:*","Resource":"*"}}`
	request, err := json.Marshal(map[string]string{"Policy": text})
	if err != nil {
		t.Fatal(err)
	}
	status, body := f.kms(&owner, "CreateKey", string(request))
	var made struct {
		KeyMetadata struct {
			ARN string `json:"Arn"`
		}
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	encrypt := `{"KeyId":"` + made.KeyMetadata.ARN + `","Plaintext":"AAAA"}`
	for i, step := range []struct {
		act    string
		status int
	}{{"", 200}, {"close", 400}, {"reopen", 200}} {
		if step.act != "" {
			f.must(f.root, "POST", "/v1/accounts/"+owner.AccountID+"/"+step.act, "", nil)
		}
		status, body := f.kms(&user, "Encrypt", encrypt)
		if status != step.status || status == 400 && !strings.Contains(body, "AccessDeniedException") {
			t.Errorf("step %d: %d %s", i, status, body)
		}
	}
}

func TestListAccounts(t *testing.T) {
	f := newFixture(t)
	want := map[string]bool{f.root.AccountID: true}
	for i := range 6 {
		var made operator.Credentials
		f.must(f.root, "POST", "/v1/accounts", fmt.Sprintf(`{"accountName":"tenant %d"}`, i), &made)
		want[made.AccountID] = true
	}
	token := ""
	for pages := 1; ; pages++ {
		var page operator.Accounts
		f.must(f.root, "GET", "/v1/accounts?maxResults=3"+token, "", &page)
		for _, a := range page.Accounts {
			if !want[a.AccountID] {
				t.Errorf("%+v is there twice, or nobody's", a)
			}
			delete(want, a.AccountID)
		}
		if page.NextToken == "" {
			if len(want) > 0 || pages != 3 {
				t.Errorf("%d pages, without %v", pages, want)
			}
			break
		}
		token = "&nextToken=" + page.NextToken
	}
	f.refuse(f.root, "GET", "/v1/accounts?maxResults=0", "", 400, "ValidationError", "maxResults")
	if code, p := f.ask(f.root, "GET", "/v1/accounts?maxResults=1001", "", nil); code != 400 || p.Code != "ValidationError" {
		t.Errorf("%d %+v", code, p)
	}
}

func TestAdministrators(t *testing.T) {
	f := newFixture(t)
	var made, second operator.Credentials
	f.must(f.root, "POST", "/v1/accounts", `{"accountName":"tenant"}`, &made)
	path := "/v1/accounts/" + made.AccountID + "/administrators"
	f.must(f.root, "POST", path, `{"userName":"recovery"}`, &second)
	if second.AccountID != made.AccountID || second.UserARN != "arn:aws:iam::"+made.AccountID+":user/recovery" {
		t.Errorf("%+v", second)
	}
	if status := f.createKey(&second); status != 200 {
		t.Errorf("the new administrator makes no key: %d", status)
	}
	f.refuse(f.root, "POST", path, `{"userName":"Recovery"}`, 409, "EntityAlreadyExists", "User with name Recovery already exists.")
	f.refuse(f.root, "POST", path, `{"userName":"a b"}`, 400, "ValidationError", "userName")
	f.refuse(f.root, "POST", path, ``, 400, "ValidationError", "userName")
	f.refuse(f.root, "POST", "/v1/accounts/100000000000/administrators", `{"userName":"a"}`, 404, "NotFound", "There is no account 100000000000.")
	f.refuse(f.root, "POST", "/v1/accounts/1/administrators", `{"userName":"a"}`, 400, "ValidationError", "accountId")
}

// TestOperatorsNeedPolicies: being of the operator account is not enough.
func TestOperatorsNeedPolicies(t *testing.T) {
	f := newFixture(t)
	var second operator.Credentials
	f.must(f.root, "POST", "/v1/accounts/"+f.root.AccountID+"/administrators", `{"userName":"auditor"}`, &second)
	auditor := &second
	var id string
	f.change(func(tx *fsm.Txn) error {
		user, err := state.Users.Get(tx, f.root.AccountID, "auditor")
		if err != nil {
			return err
		}
		id = user.ID
		arn := "arn:aws:iam::aws:policy/AdministratorAccess"
		state.Attachments.Delete(tx, f.root.AccountID, id, arn)
		state.AttachedTo.Delete(tx, f.root.AccountID, arn, id)
		return state.Directories.Touch(tx, f.root.AccountID)
	})
	f.refuse(auditor, "GET", "/v1/members", "", 403, "AccessDenied",
		"because no identity-based policy allows the cofre:ListMembers action")
	f.change(func(tx *fsm.Txn) error {
		p := &state.InlinePolicy{Name: "p", Text: `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"cofre:List*","Resource":"*"},
			{"Effect":"Allow","Action":"cofre:DescribeAccount","Resource":"arn:aws:cofre::*:account/1*"}]}`}
		if err := state.InlinePolicies.Put(tx, p, f.root.AccountID, id, "p"); err != nil {
			return err
		}
		return state.Directories.Touch(tx, f.root.AccountID)
	})
	f.must(auditor, "GET", "/v1/members", "", nil)
	f.refuse(auditor, "DELETE", "/v1/members/node2", "", 403, "AccessDenied", "on resource: arn:aws:cofre::"+f.root.AccountID+":member/node2")
	f.refuse(auditor, "GET", "/v1/accounts/200000000000", "", 403, "AccessDenied", "account/200000000000")
	f.refuse(auditor, "GET", "/v1/accounts/100000000000", "", 404, "NotFound", "There is no account")
}

func TestMembers(t *testing.T) {
	f := newFixture(t)
	f.must(f.root, "DELETE", "/v1/members/node1", "", nil)
	var list operator.Members
	f.must(f.root, "GET", "/v1/members", "", &list)
	var states []string
	for _, m := range list.Members {
		states = append(states, m.Name+" "+m.State)
	}
	if strings.Join(states, ", ") != "node1 LEAVING, node2 LEARNER, node3 JOINING" {
		t.Errorf("%v", states)
	}
	f.refuse(f.root, "DELETE", "/v1/members/node%2F9", "", 404, "NotFound", `No member is called "node/9".`)
	var token operator.JoinToken
	f.must(f.root, "POST", "/v1/join-tokens", `{"hours":24}`, &token)
	raw := f.node.RawEvents(t)
	if token.Token != "cofre-join-1.planted" || strings.Contains(raw[len(raw)-1], "planted") {
		t.Errorf("%+v, recorded as %s", token, raw[len(raw)-1])
	}
	for _, body := range []string{"", "{}", `{"hours":0}`, `{"hours":169}`, `{"hours":"1"}`} {
		code := "ValidationError"
		if strings.Contains(body, `"1"`) {
			code = "MalformedInput"
		}
		f.refuse(f.root, "POST", "/v1/join-tokens", body, 400, code, "")
	}
}

func TestNode(t *testing.T) {
	f := newFixture(t)
	var status operator.Status
	f.must(f.root, "GET", "/v1/status", "", &status)
	var partition operator.HSM
	f.must(f.root, "GET", "/v1/hsm", "", &partition)
	var head operator.LedgerHead
	f.must(f.root, "GET", "/v1/ledger/head", "", &head)
	var c operator.Cluster
	f.must(f.root, "GET", "/v1/cluster", "", &c)
	if status.Name != "node1" || status.Version != "test" || !partition.Working || partition.KeySpecs[0] != "SYMMETRIC_DEFAULT" ||
		head.Size != 4 || c.OperatorAccountID != f.root.AccountID || len(c.ClusterID) != 36 {
		t.Errorf("%+v\n%+v\n%+v\n%+v", status, partition, head, c)
	}
	for _, event := range f.node.Events(t) {
		if !event.ReadOnly || event.EventSource != "cofre" || event.ErrorCode != "" {
			t.Errorf("record is %+v", event)
		}
	}
}
