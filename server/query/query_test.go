package query_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
)

type tag struct{ Key, Value string }

type request struct {
	Name  string
	Count int
	Force bool
	Tags  []tag
	ARNs  []string
}

func requestShape() *shape.Struct[request] {
	tags := shape.Of(
		shape.Text("Key", shape.String{Min: 1, Max: 3}, func(t *tag) *string { return &t.Key }).Required(),
		shape.Text("Value", shape.String{}, func(t *tag) *string { return &t.Value }).Required(),
	)
	return shape.Of(
		shape.Text("UserName", shape.String{Min: 1, Max: 8}, func(q *request) *string { return &q.Name }).Required(),
		shape.Number("MaxItems", shape.Integer{Min: 1, Max: 10}, func(q *request) *int { return &q.Count }),
		shape.Flag("Force", func(q *request) *bool { return &q.Force }),
		shape.Structs("Tags", shape.List{Max: 2}, tags, func(q *request) *[]tag { return &q.Tags }),
		shape.Texts("PolicyArns", shape.List{}, shape.String{}, func(q *request) *[]string { return &q.ARNs }),
	)
}

func TestForm(t *testing.T) {
	decode := query.Decoder(requestShape())
	var q request
	const form = "Action=CreateUser&Version=2010-05-08&UserName=J%C3%BCrgen+x&MaxItems=7&Force=true&Unknown=1" +
		"&Tags.member.1.Key=a&Tags.member.1.Value=%22b%22&Tags.member.2.Value=&Tags.member.2.Key=c" +
		"&PolicyArns.member.1=x&PolicyArns.member.2=y&PolicyArns.member.4=after+a+gap"
	if err := decode([]byte(form), &q); err != nil {
		t.Fatal(err)
	}
	if q.Name != "Jürgen x" || q.Count != 7 || !q.Force || len(q.Tags) != 2 || q.Tags[0] != (tag{"a", `"b"`}) ||
		q.Tags[1] != (tag{"c", ""}) || strings.Join(q.ARNs, " ") != "x y" {
		t.Errorf("decoded %+v", q)
	}
	if action, version := query.Action([]byte(form)); action != "CreateUser" || version != "2010-05-08" {
		t.Errorf("it asks for %s of %s", action, version)
	}
}

func TestBadForms(t *testing.T) {
	decode := query.Decoder(requestShape())
	for form, want := range map[string]string{
		"UserName=%zz":           "MalformedQueryString: The query string contains a syntax error.",
		"UserName=a&MaxItems=b":  "MalformedInput: Unable to parse a value of 1 characters as its type.",
		"UserName=a&Force=maybe": "MalformedInput: Unable to parse a value of 5 characters as its type.",
		"": "ValidationError: 1 validation error detected: Value null at 'userName' failed to satisfy constraint: " +
			"Member must not be null",
		"UserName=a&Tags.member.1.Key=long&Tags.member.1.Value=": "ValidationError: 1 validation error detected: Value 'long' at " +
			"'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 3",
	} {
		var q request
		if err := decode([]byte(form), &q); err == nil || err.Error() != want {
			t.Errorf("%q: %v", form, err)
		}
	}
}

func TestBind(t *testing.T) {
	op := query.Bind("CreateUser", false, requestShape(), func(_ context.Context, _ *fsm.Txn, _ *call.Call, q *request) (string, error) {
		return q.Name, nil
	})
	q, err := op.Decode([]byte("UserName=a"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := op.Run(t.Context(), nil, nil, q); got != "a" || err != nil || op.Name != "CreateUser" {
		t.Errorf("%s answers %v, %v", op.Name, got, err)
	}
}

type user struct {
	UserName   string
	CreateDate query.Time
	Tags       query.List[tag]
	Boundary   *string
}

type response struct{ Users query.List[user] }

func TestResponse(t *testing.T) {
	var out bytes.Buffer
	answer := response{query.List[user]{{UserName: "a<b", CreateDate: 1_790_000_000_999, Tags: query.List[tag]{{"k", "v"}}}, {UserName: "c"}}}
	if err := query.Response(&out, "https://x/doc/2010-05-08/", "ListUsers", "id", answer); err != nil {
		t.Fatal(err)
	}
	const want = `<ListUsersResponse xmlns="https://x/doc/2010-05-08/"><ListUsersResult><Users>` +
		`<member><UserName>a&lt;b</UserName><CreateDate>2026-09-21T14:13:20Z</CreateDate>` +
		`<Tags><member><Key>k</Key><Value>v</Value></member></Tags></member>` +
		`<member><UserName>c</UserName><CreateDate>1970-01-01T00:00:00Z</CreateDate><Tags></Tags></member>` +
		`</Users></ListUsersResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ListUsersResponse>`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if err := query.Response(&out, "n", "DeleteUser", "id", nil); err != nil || strings.Contains(out.String(), "Result") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestException(t *testing.T) {
	var out bytes.Buffer
	query.Exception(&out, "n", "id", "NoSuchEntity", "a & b", 404)
	const want = `<ErrorResponse xmlns="n"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>a &amp; b</Message></Error>` +
		`<RequestId>id</RequestId></ErrorResponse>`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
	e := query.Translate(call.Errorf("AccessDeniedException", "no"))
	if e.Code != "AccessDenied" || e.Status != 403 || e.Message != "no" {
		t.Errorf("%+v", e)
	}
	if own := call.Errorf("NoSuchEntity", "x"); query.Translate(own) != own {
		t.Error("an error of its own is changed")
	}
}

func FuzzForm(f *testing.F) {
	f.Add([]byte("UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v&MaxItems=3"))
	f.Add([]byte("UserName.member.1=a&Tags=&Tags.member.1=x"))
	decode := query.Decoder(requestShape())
	f.Fuzz(func(t *testing.T, form []byte) {
		var q request
		if err := decode(form, &q); err != nil {
			if _, ok := err.(*call.Error); !ok {
				t.Errorf("%T", err)
			}
		}
	})
}
