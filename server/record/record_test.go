package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
)

type parameters struct {
	KeyID   string            `json:"keyId"`
	Context map[string]string `json:"encryptionContext,omitempty"`
	Policy  string            `json:"policy,omitempty"`
}

// appended encodes itself.
type appended struct {
	KeyID string `json:"keyId"`
}

func (a appended) AppendJSON(b []byte) []byte {
	return append(AppendString(append(b, `{"keyId":`...), a.KeyID), '}')
}

func exampleCall() *call.Call {
	return &call.Call{
		Service: "kms", Operation: "Encrypt", ReadOnly: true,
		RequestID: "6f5e2c0e-6f3a-4a0e-9f57-1f0f3f4a5b6c", EventID: "0a1b2c3d-4e5f-4601-8293-a4b5c6d7e8f9",
		Time: time.Date(2026, 11, 24, 12, 30, 45, 999, time.FixedZone("", 3600)), Region: "eu-central-1",
		SourceIP: "192.0.2.7", UserAgent: "aws-cli/2.30 <\"ü\">",
		TLS: &ledger.TLSDetails{TLSVersion: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", KeyExchange: "X25519MLKEM768"},
		Principal: call.Principal{
			Type: "IAMUser", AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:user/admin",
			PrincipalID: "AIDAEXAMPLE", UserName: "admin", AccessKeyID: "AKIAEXAMPLE",
		},
		Record: call.Record{
			Parameters: parameters{KeyID: "arn:aws:kms:eu-central-1:111122223333:key/k"},
			Response:   parameters{KeyID: "k"},
			Additional: map[string]string{"keyMaterialId": "m"},
			Resources:  []ledger.Resource{{AccountID: "111122223333", Type: "AWS::KMS::Key", ARN: "arn"}},
		},
	}
}

// standard is what encoding/json makes of the same event.
func standard(t interface{ Fatal(...any) }, e *ledger.Event) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func expected(c *call.Call) *ledger.Event {
	return &ledger.Event{
		EventVersion: "1.11",
		UserIdentity: ledger.UserIdentity{
			Type: c.Principal.Type, PrincipalID: c.Principal.PrincipalID, ARN: c.Principal.ARN,
			AccountID: c.Principal.AccountID, AccessKeyID: c.Principal.AccessKeyID, UserName: c.Principal.UserName,
			SessionContext: sessionContext(c.Principal.Session), IdentityProvider: c.Principal.Provider,
		},
		EventTime: c.Time.UTC().Format(time.RFC3339), EventSource: c.Service + ".amazonaws.com", EventName: c.Operation,
		AWSRegion: c.Region, SourceIPAddress: c.SourceIP, UserAgent: c.UserAgent,
		RequestParameters: c.Record.Parameters, ResponseElements: c.Record.Response,
		AdditionalEventData: c.Record.Additional, RequestID: c.RequestID, EventID: c.EventID, ReadOnly: c.ReadOnly,
		Resources: c.Record.Resources, EventType: "AwsApiCall", ManagementEvent: true,
		RecipientAccountID: c.Principal.AccountID, EventCategory: "Management", TLSDetails: c.TLS,
	}
}

func TestEncodeEqualsEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 20, 80), rapid.StringMatching("[\\x00-\\x7f\u2028\u2029\ufffd]{0,20}"),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }))
		c := exampleCall()
		for _, field := range []*string{&c.Region, &c.SourceIP, &c.UserAgent, &c.RequestID, &c.EventID,
			&c.Principal.Type, &c.Principal.AccountID, &c.Principal.AccessKeyID, &c.Principal.UserName, &c.Principal.ARN, &c.Principal.Provider} {
			*field = text.Draw(t, "text")
		}
		c.Record.Parameters = rapid.SampledFrom([]any{nil, appended{KeyID: text.Draw(t, "keyId")}, &parameters{KeyID: "<&>"}, parameters{
			Context: map[string]string{text.Draw(t, "name"): text.Draw(t, "value")}}}).Draw(t, "parameters")
		c.Record.Response = rapid.SampledFrom([]any{nil, struct{}{}}).Draw(t, "response")
		c.Record.Additional = rapid.SampledFrom([]any{nil, map[string]int{"a": 1}}).Draw(t, "additional")
		c.Record.Resources = rapid.SampledFrom([][]ledger.Resource{nil, {}, {{ARN: "a\nb"}, {Type: "t"}}}).Draw(t, "resources")
		c.TLS = rapid.SampledFrom([]*ledger.TLSDetails{nil, {}, {CipherSuite: "c"}}).Draw(t, "tls")
		issuer := call.Issuer{Type: "Role", ID: "AROA", ARN: text.Draw(t, "issuer"), Name: "r"}
		c.Principal.Session = rapid.SampledFrom([]*call.Session{
			nil, {}, {Name: "s", Issuer: issuer, Issued: 1_790_000_000_999}, {Issuer: issuer, Provider: "p", SourceIdentity: "i"},
		}).Draw(t, "session")
		c.ReadOnly = rapid.Bool().Draw(t, "readOnly")

		got, err := Encode(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := standard(t, expected(c)); string(got) != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// TestSharedID: where two accounts have a record, both have its shared event id.
func TestSharedID(t *testing.T) {
	c := exampleCall()
	want := expected(c)
	want.SharedEventID = "8f3f3b4e-3b1f-4c53-8a38-6d1f3f4a5b6c"
	e := eventOf(c)
	e.shared = want.SharedEventID
	if got, err := e.encode(); err != nil || string(got) != standard(t, want) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name          string
		refusal       *call.Error
		code, message string
		parameters    bool
	}{
		{"keeps parameters", call.Errorf("NotFoundException", "Alias %s is not found.", "a"), "NotFoundException", "Alias a is not found.", true},
		{"denied", &call.Error{Code: "AccessDeniedException", RecordCode: "AccessDenied", Message: "no"}, "AccessDenied", "no", false},
		{"without message", &call.Error{Code: "InvalidCiphertextException"}, "InvalidCiphertextException", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := exampleCall()
			want := expected(c)
			want.ErrorCode, want.ErrorMessage, want.ResponseElements = test.code, test.message, nil
			if !test.parameters {
				want.RequestParameters, want.AdditionalEventData, want.Resources = nil, nil, nil
			}
			got, err := Encode(c, test.refusal)
			if err != nil {
				t.Fatal(err)
			}
			if want := standard(t, want); string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestServiceEvent(t *testing.T) {
	got, err := Service(ServiceEvent{
		Service: "kms", Name: "DeleteKey", EventID: "e", Time: time.Unix(0, 0), Region: "r", AccountID: "111122223333",
		Resources: []ledger.Resource{{ARN: "arn"}}, Details: parameters{KeyID: "k"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := standard(t, &ledger.Event{
		EventVersion: "1.11", UserIdentity: ledger.UserIdentity{AccountID: "111122223333", InvokedBy: "AWS Internal"},
		EventTime: "1970-01-01T00:00:00Z", EventSource: "kms.amazonaws.com", EventName: "DeleteKey", AWSRegion: "r",
		SourceIPAddress: "AWS Internal", UserAgent: "AWS Internal", EventID: "e",
		Resources: []ledger.Resource{{ARN: "arn"}}, EventType: "AwsServiceEvent", ManagementEvent: true,
		RecipientAccountID: "111122223333", ServiceEventDetails: parameters{KeyID: "k"}, EventCategory: "Management",
	})
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLargeMembersAreReplacedByTheirHash(t *testing.T) {
	policy := strings.Repeat("\"\\", 20000)
	c := exampleCall()
	c.Record.Parameters = parameters{KeyID: "k", Policy: policy, Context: map[string]string{"a": "b"}}
	c.UserAgent = strings.Repeat("ü", 5000)
	got, err := Encode(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		UserAgent         string
		RequestParameters struct {
			KeyID             string
			EncryptionContext map[string]string
			Policy            omitted
		}
	}
	if err := json.Unmarshal(got, &event); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(policy))
	p := event.RequestParameters
	want := omitted{Omitted: true, Reason: reasonTooLarge, OriginalSize: len(policy), SHA256: hex.EncodeToString(sum[:])}
	if p.KeyID != "k" || p.EncryptionContext["a"] != "b" || !reflect.DeepEqual(p.Policy, want) {
		t.Errorf("parameters are %+v", p)
	}
	if len(event.UserAgent) != 1024 {
		t.Errorf("the user agent has %d bytes", len(event.UserAgent))
	}
}

func TestEveryEventFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string) string {
			return strings.Repeat(rapid.SampledFrom([]string{"a", "\x01", "\xff"}).Draw(t, "filler"), rapid.IntRange(0, 70000).Draw(t, name))
		}
		c := exampleCall()
		c.Record.Parameters = parameters{KeyID: size("keyId"), Policy: size("policy"), Context: map[string]string{"a": size("a"), size("b"): "b"}}
		c.Record.Response = parameters{Policy: size("response")}
		c.UserAgent, c.Operation, c.TLS.ClientProvidedHostHeader = size("userAgent"), size("operation"), size("host")
		got, err := Encode(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > ledger.MaxEvent || !json.Valid(got) {
			t.Fatalf("%d bytes, valid: %v", len(got), json.Valid(got))
		}
	})
}

func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	c := exampleCall()
	c.Record.Parameters = func() {}
	if _, err := Encode(c, nil); err == nil {
		t.Error("no error for parameters that are no JSON")
	}
	if _, err := Encode(exampleCall(), nil); err != nil {
		t.Errorf("the next encoding fails: %v", err)
	}
}

func BenchmarkEncode(b *testing.B) {
	c := exampleCall()
	c.Record.Parameters = &parameters{KeyID: "arn:aws:kms:eu-central-1:111122223333:key/k", Context: map[string]string{"purpose": "bench"}}
	c.Record.Response = nil
	for b.Loop() {
		if _, err := Encode(c, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
}
