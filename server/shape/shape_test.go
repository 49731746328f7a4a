package shape_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type tag struct{ Key, Value string }

type inner struct {
	Algorithm string
	Document  []byte
}

type request struct {
	ID      string
	Data    []byte
	Count   int
	Dry     bool
	Names   []string
	Tags    []tag
	Inner   *inner
	Context []shape.Pair
	Until   int64
}

func letters(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }

func requestShape() *shape.Struct[request] {
	element := shape.Of(
		shape.Text("TagKey", shape.String{Min: 1, Max: 4}, func(t *tag) *string { return &t.Key }).Required(),
		shape.Text("TagValue", shape.String{Max: 4}, func(t *tag) *string { return &t.Value }).Required(),
	)
	of := shape.Of(
		shape.Text("Algorithm", shape.String{Enum: []string{"A", "B"}}, func(i *inner) *string { return &i.Algorithm }),
		shape.Bytes("Document", shape.Blob{Min: 1, Max: 4}, func(i *inner) *[]byte { return &i.Document }),
	)
	return shape.Of(
		shape.Text("ID", shape.String{Min: 1, Max: 8, Pattern: &shape.Pattern{Expr: "[a-z]*", Match: letters}},
			func(r *request) *string { return &r.ID }).Required(),
		shape.Bytes("Data", shape.Blob{Min: 1, Max: 6}, func(r *request) *[]byte { return &r.Data }),
		shape.Number("Count", shape.Integer{Min: 1, Max: 10}, func(r *request) *int { return &r.Count }),
		shape.Flag("Dry", func(r *request) *bool { return &r.Dry }),
		shape.Texts("Names", shape.List{Max: 2}, shape.String{Min: 1, Max: 3}, func(r *request) *[]string { return &r.Names }),
		shape.Structs("Tags", shape.List{Max: 3}, element, func(r *request) *[]tag { return &r.Tags }),
		shape.Nested("Inner", of, func(r *request) **inner { return &r.Inner }),
		shape.Pairs("Context", func(r *request) *[]shape.Pair { return &r.Context }),
		shape.Time("Until", func(r *request) *int64 { return &r.Until }),
	)
}

func decode(body string) (request, error) {
	var r request
	err := requestShape().Decode([]byte(body), &r)
	return r, err
}

func TestDecode(t *testing.T) {
	tests := []struct {
		body string
		want request
	}{
		{`{"ID":"a"}`, request{ID: "a"}},
		{" {\t\"ID\"\r:\n\"a\" , \"Dry\" : true } ", request{ID: "a", Dry: true}},
		{`{"\u0049D":"\u0061b"}`, request{ID: "ab"}},
		{`{"ID":"a","id":"B","Unknown":{"x":[1,-2.5e+3,{},[],null,true,"\ud83d\ude00"]}}`, request{ID: "a"}},
		{`{"ID":"a","ID":"b"}`, request{ID: "b"}},
		{`{"ID":"a","Count":null,"Data":null,"Tags":null,"Inner":null,"Context":null,"Names":null}`, request{ID: "a"}},
		{`{"ID":"a","Count":3,"Count":null}`, request{ID: "a"}},
		{`{"ID":"a","Count":3.99}`, request{ID: "a", Count: 3}},
		{`{"ID":"a","Until":1786401507}`, request{ID: "a", Until: 1786401507000}},
		{`{"ID":"a","Until":1.786401507123E9}`, request{ID: "a", Until: 1786401507123}},
		{`{"ID":"a","Until":0.0004}`, request{ID: "a"}},
		{`{"ID":"a","Until":1e300}`, request{ID: "a", Until: 253402300799000}},
		{`{"ID":"a","Until":-1e999}`, request{ID: "a", Until: -253402300799000}},
		{`{"ID":"a","Until":5,"Until":null}`, request{ID: "a"}},
		{`{"ID":"a","Count":3e0}`, request{ID: "a", Count: 3}},
		{`{"ID":"a","Data":"AAEC"}`, request{ID: "a", Data: []byte{0, 1, 2}}},
		{`{"ID":"a","Data":"AA=="}`, request{ID: "a", Data: []byte{0}}},
		{`{"ID":"a","Data":"\/\/\/\/"}`, request{ID: "a", Data: []byte{255, 255, 255}}},
		{`{"ID":"a","Names":["x","yz"]}`, request{ID: "a", Names: []string{"x", "yz"}}},
		{`{"ID":"a","Tags":[{"TagKey":"k","TagValue":""}]}`, request{ID: "a", Tags: []tag{{Key: "k"}}}},
		{`{"ID":"a","Tags":[{}],"Tags":[]}`, request{ID: "a"}},
		{`{"ID":"a","Inner":{"Algorithm":"A","Document":"AAEC"}}`,
			request{ID: "a", Inner: &inner{Algorithm: "A", Document: []byte{0, 1, 2}}}},
		{`{"ID":"a","Context":{"b":"1","a":"2","":"é\u0000","b":"3"}}`,
			request{ID: "a", Context: []shape.Pair{{Key: "", Value: "é\x00"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}}}},
	}
	for _, test := range tests {
		got, err := decode(test.body)
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
		} else if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.body, got, test.want)
		}
	}
}

func TestSerializationErrors(t *testing.T) {
	const list, object = "Start of list found where not expected", "Start of structure or map found where not expected."
	tests := []struct{ body, message string }{
		{``, ""}, {`null`, "Expected structure or map, or null"}, {`[]`, list}, {`"x"`, "Expected structure or map, or null"},
		{`{`, ""}, {`{"ID"`, ""}, {`{"ID":}`, ""}, {`{"ID":"a",}`, ""}, {`{"ID":"a"} {}`, ""}, {`{"ID":"a"}x`, ""},
		{`{ID:"a"}`, ""}, {`{"ID":"a" "Dry":true}`, ""}, {`{"ID":"a\x"}`, ""}, {"{\"ID\":\"a\n\"}", ""}, {`{"ID":"a`, ""},
		{"{\"ID\":\"\xff\"}", ""}, {`{"ID":"\ud800"}`, ""}, {`{"ID":"\ud800\u0041"}`, ""}, {`{"ID":"\udc00\ud800"}`, ""},
		{`{"ID":"\u00g0"}`, ""}, {`{"ID":"\`, ""}, {`{"ID":"\u12`, ""}, {"{\"ID\":\"\\n\xff\"}", ""},
		{`{"X":01}`, ""}, {`{"X":1.}`, ""}, {`{"X":.5}`, ""}, {`{"X":-}`, ""}, {`{"X":1e}`, ""}, {`{"X":tru}`, ""}, {`{"X":nul}`, ""},
		{`{"X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, ""},
		{`{"ID":1}`, "NUMBER_VALUE can not be converted to a String"},
		{`{"ID":true}`, "TRUE_VALUE can not be converted to a String"},
		{`{"ID":false}`, "FALSE_VALUE can not be converted to a String"},
		{`{"ID":[]}`, list}, {`{"ID":{}}`, object},
		{`{"Count":"1"}`, "STRING_VALUE can not be converted to an Integer"},
		{`{"Count":[]}`, list},
		{`{"Dry":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{`{"Dry":1}`, "NUMBER_VALUE can not be converted to a Boolean"},
		{`{"Until":"2026-08-10T22:38:27Z"}`, "STRING_VALUE can not be converted to milliseconds since epoch"},
		{`{"Data":1}`, "only base-64-encoded strings are convertible to bytes"},
		{`{"Data":{}}`, object},
		{`{"Data":"AAEC0"}`, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{`{"Data":"A==="}`, "Invalid Base64 encoding"}, {`{"Data":"AB=="}`, "Invalid Base64 encoding"},
		{`{"Data":"AA-_"}`, "Invalid Base64 encoding"}, {`{"Data":"AAEC\r\n\r\n"}`, "Invalid Base64 encoding"},
		{`{"Data":"\n\n\n\n"}`, "Invalid Base64 encoding"},
		{`{"Names":"x"}`, "Expected list or null"}, {`{"Names":{}}`, object},
		{`{"Names":[null]}`, "NULL_VALUE can not be converted to a String"},
		{`{"Tags":[1]}`, "Expected structure or map, or null"}, {`{"Tags":[[]]}`, list},
		{`{"Context":{"a":1}}`, "NUMBER_VALUE can not be converted to a String"}, {`{"Context":[]}`, list},
		{`{"Context":{"a":null}}`, "NULL_VALUE can not be converted to a String"},
		{`{"Inner":"x"}`, "Expected structure or map, or null"},
	}
	for _, test := range tests {
		_, err := decode(test.body)
		want := &call.Error{Code: "SerializationException", Message: test.message, Status: 400}
		if !reflect.DeepEqual(err, want) {
			t.Errorf("%s: %v, want %v", test.body, err, want)
		}
	}
}

func TestViolations(t *testing.T) {
	long := strings.Repeat("x", 600)
	one, many := "1 validation error detected: ", func(n int) string { return fmt.Sprintf("%d validation errors detected: ", n) }
	const failed = " failed to satisfy constraint: "
	each := "Member must satisfy constraint: [Member must have length less than or equal to 3, " +
		"Member must have length greater than or equal to 1, Member must not be null]"
	tests := []struct{ body, message string }{
		{`{}`, one + "Value null at 'iD'" + failed + "Member must not be null"},
		{`{"ID":null}`, one + "Value null at 'iD'" + failed + "Member must not be null"},
		{`{"ID":""}`, one + "Value '' at 'iD'" + failed + "Member must have length greater than or equal to 1"},
		{`{"ID":"aaaaaaaaa"}`, one + "Value 'aaaaaaaaa' at 'iD'" + failed + "Member must have length less than or equal to 8"},
		{`{"ID":"A"}`, one + "Value 'A' at 'iD'" + failed + "Member must satisfy regular expression pattern: [a-z]*"},
		{`{"ID":"` + long + `"}`, one + "Value '" + long[:512] + "...' at 'iD'" + failed + "Member must have length less than or equal to 8"},
		{`{"Data":""}`, many(2) + "Value null at 'iD'" + failed + "Member must not be null; Value at 'data'" + failed +
			"Member must have length greater than or equal to 1"},
		{`{"ID":"a","Data":"AAAAAAAAAA=="}`, one + "Value at 'data'" + failed + "Member must have length less than or equal to 6"},
		{`{"ID":"a","Count":0}`, one + "Value '0' at 'count'" + failed + "Member must have value greater than or equal to 1"},
		{`{"ID":"a","Count":11}`, one + "Value '11' at 'count'" + failed + "Member must have value less than or equal to 10"},
		{`{"ID":"a","Count":-1e400}`, one + "Value '-2147483648' at 'count'" + failed + "Member must have value greater than or equal to 1"},
		{`{"ID":"a","Count":1e400}`, one + "Value '2147483647' at 'count'" + failed + "Member must have value less than or equal to 10"},
		{`{"ID":"a","Names":["a","b","c"]}`, one + "Value '[a, b, c]' at 'names'" + failed + "Member must have length less than or equal to 2"},
		{`{"ID":"a","Names":["","b"]}`, one + "Value '[, b]' at 'names'" + failed + each},
		{`{"ID":"a","Tags":[{"TagKey":"k","TagValue":"v"},{"TagKey":"","TagValue":"vvvvv"}]}`, many(2) +
			"Value '' at 'tags.2.member.tagKey'" + failed + "Member must have length greater than or equal to 1; " +
			"Value 'vvvvv' at 'tags.2.member.tagValue'" + failed + "Member must have length less than or equal to 4"},
		{`{"ID":"a","Tags":[{}]}`, many(2) + "Value null at 'tags.1.member.tagKey'" + failed + "Member must not be null; " +
			"Value null at 'tags.1.member.tagValue'" + failed + "Member must not be null"},
		{`{"ID":"a","Inner":{"Algorithm":"C","Document":""}}`, many(2) + "Value 'C' at 'inner.algorithm'" + failed +
			"Member must satisfy enum value set: [A, B]; Value at 'inner.document'" + failed +
			"Member must have length greater than or equal to 1"},
	}
	for _, test := range tests {
		_, err := decode(test.body)
		want := &call.Error{Code: "ValidationException", Message: test.message, Status: 400}
		if !reflect.DeepEqual(err, want) {
			t.Errorf("%s:\n     %v\nwant %v", test.body, err, want)
		}
	}
}

func TestManyViolationsMakeAShortMessage(t *testing.T) {
	type request struct{ Tags []tag }
	element := shape.Of(shape.Text("K", shape.String{Min: 1}, func(t *tag) *string { return &t.Key }).Required())
	s := shape.Of(shape.Structs("Tags", shape.List{}, element, func(r *request) *[]tag { return &r.Tags }))
	err := s.Decode([]byte(`{"Tags":[`+strings.Repeat("{},", 9999)+`{}]}`), new(request))
	var e *call.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Message, "10000 validation errors detected: ") || len(e.Message) > 4096 {
		t.Errorf("message of %d bytes: %.100s", len(e.Message), e.Message)
	}
}

// TestLengthCountsUTF16 draws strings around the bounds.
func TestLengthCountsUTF16(t *testing.T) {
	s := shape.Of(shape.Text("ID", shape.String{Min: 3, Max: 6}, func(r *request) *string { return &r.ID }))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aé€😀")), 0, 8, -1).Draw(t, "text")
		body, _ := json.Marshal(map[string]string{"ID": text})
		n := len(utf16.Encode([]rune(text)))
		if err := s.Decode(body, new(request)); (err == nil) != (3 <= n && n <= 6) {
			t.Fatalf("%q of %d units: %v", text, n, err)
		}
	})
}

// FuzzDecode holds the decoder against encoding/json: it accepts the same texts,
// but for those that encoding/json mends, and reads the same strings from them.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"ID":"a","Data":"AAEC","Count":1e3,"Tags":[{"TagKey":"\ud83d\ude00"}],"Context":{"a":"b"}}`))
	f.Add([]byte(`{"ID":"\/\b\f\n\r\t\"\\","X":[-0.5E-7,null,{"a":{}}]}`))
	s := shape.Of(
		shape.Text("ID", shape.String{}, func(r *request) *string { return &r.ID }),
		shape.Pairs("Context", func(r *request) *[]shape.Pair { return &r.Context }),
	)
	full := requestShape()
	f.Fuzz(func(t *testing.T, body []byte) {
		var e *call.Error
		if err := full.Decode(body, new(request)); err != nil && !errors.As(err, &e) {
			t.Fatalf("%v is no *call.Error", err)
		}
		var got request
		err := s.Decode(body, &got)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is accepted", body)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(body, &want) != nil || !utf8.ValidString(got.ID) {
			t.Fatalf("%q is accepted", body)
		}
		id := ""
		if json.Unmarshal(want["ID"], &id); id != got.ID {
			t.Fatalf("read %q, want %q", got.ID, id)
		}
		context := map[string]string{}
		json.Unmarshal(want["Context"], &context)
		if len(context) != len(got.Context) {
			t.Fatalf("read %v, want %v", got.Context, context)
		}
		for _, p := range got.Context {
			if context[p.Key] != p.Value {
				t.Fatalf("read %v, want %v", got.Context, context)
			}
		}
	})
}

// TestAcceptsWhatJSONEncodes is the other direction: all that encoders write.
func TestAcceptsWhatJSONEncodes(t *testing.T) {
	s := shape.Of(
		shape.Text("ID", shape.String{}, func(r *request) *string { return &r.ID }),
		shape.Bytes("Data", shape.Blob{}, func(r *request) *[]byte { return &r.Data }),
		shape.Number("Count", shape.Integer{Min: -1 << 31}, func(r *request) *int { return &r.Count }),
	)
	rapid.Check(t, func(t *rapid.T) {
		want := request{ID: rapid.String().Draw(t, "id"), Count: int(rapid.Int32().Draw(t, "count")),
			Data: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "data")}
		body, _ := json.Marshal(map[string]any{"ID": want.ID, "Count": want.Count, "Other": rapid.String().Draw(t, "other"),
			"Data": base64.StdEncoding.EncodeToString(want.Data)})
		var got request
		if err := s.Decode(body, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %+v, %v", body, got, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	s := requestShape()
	body := []byte(`{"ID":"abcdefgh","Data":"AAECAwQF","Context":{"purpose":"benchmark","tenant":"1"},"Names":["x"],"Dry":false}`)
	b.ReportAllocs()
	for b.Loop() {
		var r request
		if err := s.Decode(body, &r); err != nil {
			b.Fatal(err)
		}
	}
}
