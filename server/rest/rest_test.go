package rest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

// request is what all routes of the tests take.
type request struct {
	Name, Path string
	Count      int
	Time       int64
	Force      bool
	Tags       []string
}

func requestShape() *shape.Struct[request] {
	return shape.Of(
		shape.Text("name", shape.String{Min: 1, Max: 8}, func(q *request) *string { return &q.Name }),
		shape.Text("path", shape.String{}, func(q *request) *string { return &q.Path }),
		shape.Number("count", shape.Integer{Min: 1, Max: 10}, func(q *request) *int { return &q.Count }),
		shape.Time("time", func(q *request) *int64 { return &q.Time }),
		shape.Flag("force", func(q *request) *bool { return &q.Force }),
		shape.Texts("tags", shape.List{}, shape.String{}, func(q *request) *[]string { return &q.Tags }),
	)
}

func route(name, method, path string) rest.Route {
	return rest.Bind[request](rest.Spec{Name: name, Method: method, Path: path}, requestShape(),
		func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) { return nil, nil })
}

func table() *rest.Table {
	return rest.NewTable([]rest.Route{
		route("Rest", "GET", "/v1/{path...}"), route("List", "GET", "/v1/things"), route("Make", "POST", "/v1/things"),
		route("Get", "GET", "/v1/things/{name}"), route("Delete", "DELETE", "/v1/things/{name}"), route("Own", "GET", "/v1/things/mine"),
		route("Change", "PUT", "/v1/things/{name}/count"),
	})
}

func TestFind(t *testing.T) {
	for _, test := range []struct{ request, name, parameters string }{
		{"GET /v1/things", "List", ""}, {"POST /v1/things", "Make", ""}, {"GET /v1/things/mine", "Own", ""},
		{"GET /v1/things/a%2Fb%20c", "Get", "name=a/b c"}, {"DELETE /v1/things/mine", "Delete", "name=mine"},
		{"PUT /v1/things/x/count", "Change", "name=x"}, {"GET /v1/tile/0/x001/002.p/5", "Rest", "path=tile/0/x001/002.p/5"},
		{"GET /v1/things/x/y", "Rest", "path=things/x/y"}, {"PUT /v1/things/x", "", ""}, {"HEAD /v1/things", "", ""},
		{"GET /v1/", "", ""}, {"GET /v1", "", ""}, {"GET /v1/things/", "", ""}, {"GET /v1//things", "", ""},
		{"GET /v1/things/..", "", ""}, {"GET /v1/things/%2e%2e", "", ""}, {"GET /v1/./things", "", ""}, {"GET /v2/things", "", ""},
	} {
		method, target, _ := strings.Cut(test.request, " ")
		m := table().Find(httptest.NewRequest(method, target, nil))
		if (m == nil) != (test.name == "") || m != nil && m.Spec.Name != test.name {
			t.Errorf("%s: %+v", test.request, m)
			continue
		}
		name, value, _ := strings.Cut(test.parameters, "=")
		if m != nil && m.Parameters[name] != value {
			t.Errorf("%s: parameters %v", test.request, m.Parameters)
		}
	}
}

func TestInput(t *testing.T) {
	for _, test := range []struct {
		method, target, body string
		want                 request
		refusal              string
	}{
		{"GET", "/v1/things?name=J%C3%BC+x&count=3&force=true&tags=a&tags=b&time=1.5", "",
			request{Name: "Jü x", Count: 3, Force: true, Tags: []string{"a", "b"}, Time: 1500}, ""},
		{"POST", "/v1/things", "", request{}, ""},
		{"POST", "/v1/things", ` {"name":"\u00fc","count":2,"tags":["c"]} `, request{Name: "ü", Count: 2, Tags: []string{"c"}}, ""},
		{"PUT", "/v1/things/a%22b/count", `{"count":4}`, request{Name: `a"b`, Count: 4}, ""},
		{"GET", "/v1/things/007", "", request{Name: "007"}, ""},
		{"PUT", "/v1/things/a/count", `{"name":"b"}`, request{}, `ValidationError: Change has no member "name" here.`},
		{"GET", "/v1/things/a?name=b", "", request{}, `ValidationError: Get has no member "name" here.`},
		{"POST", "/v1/things", `{"Name":"b"}`, request{}, `ValidationError: Make has no member "Name" here.`},
		{"POST", "/v1/things?name=b", "", request{}, "ValidationError: Make takes no query parameters."},
		{"GET", "/v1/things?unknown=1", "", request{}, `ValidationError: List has no member "unknown" here.`},
		{"GET", "/v1/things?count=1&count=2", "", request{}, "ValidationError: The query parameter count is there 2 times."},
		{"GET", "/v1/things?name=%zz", "", request{}, "ValidationError: The query string contains a syntax error."},
		{"GET", "/v1/things", "{}", request{}, "ValidationError: List takes no body."},
		{"GET", "/v1/things?count=x", "", request{}, "MalformedInput: STRING_VALUE can not be converted to an Integer"},
		{"GET", "/v1/things?force=yes", "", request{}, "MalformedInput: STRING_VALUE can not be converted to a Boolean"},
		{"GET", "/v1/things?count=11", "", request{}, "ValidationError: 1 validation error detected: Value '11' at 'count' failed " +
			"to satisfy constraint: Member must have value less than or equal to 10"},
		{"POST", "/v1/things", `[]`, request{}, "MalformedInput: The body is no JSON object."},
		{"POST", "/v1/things", `{"name":"a"} {}`, request{}, "MalformedInput: The body is no JSON object."},
		{"POST", "/v1/things", `{"name":`, request{}, "MalformedInput: The body is no JSON object."},
	} {
		r := httptest.NewRequest(test.method, test.target, nil)
		m := table().Find(r)
		input, err := m.Input(r.URL.RawQuery, []byte(test.body))
		var got any = &request{}
		if err == nil {
			got, err = m.Decode(input)
		}
		var refusal *call.Error
		if test.refusal != "" && (!errors.As(err, &refusal) || refusal.Error() != test.refusal) {
			t.Errorf("%s %s %s: %v", test.method, test.target, test.body, err)
		}
		if test.refusal != "" {
			continue
		}
		q, ok := got.(*request)
		if err != nil || !ok || q.Name != test.want.Name || q.Count != test.want.Count || q.Force != test.want.Force ||
			q.Time != test.want.Time || strings.Join(q.Tags, " ") != strings.Join(test.want.Tags, " ") {
			t.Errorf("%s %s %s: %+v, %v", test.method, test.target, test.body, got, err)
		}
	}
}

func TestBadTables(t *testing.T) {
	for name, routes := range map[string][]rest.Route{
		"the same requests":  {route("A", "GET", "/v1/{name}"), route("B", "GET", "/v1/{path}")},
		"the same name":      {route("A", "GET", "/v1/a"), route("A", "GET", "/v1/b")},
		"a stray parameter ": {route("A", "GET", "/v1/{other}")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a table with %s is fine", name)
				}
			}()
			rest.NewTable(routes)
		}()
	}
}

func FuzzInput(f *testing.F) {
	f.Add("/v1/things/a", "count=1", `{"name":"a"}`)
	f.Add("/v1/things", "tags=%00&tags=x", "{")
	f.Fuzz(func(t *testing.T, path, query, body string) {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, "", query
			m := table().Find(r)
			if m == nil {
				continue
			}
			input, err := m.Input(query, []byte(body))
			if err != nil {
				continue
			}
			q, err := m.Decode(input)
			if err == nil && m.Parameters["name"] != "" && q.(*request).Name != strings.ToValidUTF8(m.Parameters["name"], "\ufffd") {
				t.Errorf("%s %s: %+v", path, body, q)
			}
		}
	})
}
