package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// headers is a request's headers by their wire names; "" removes one.
type headers map[string]string

const goodAuth = "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=00"

func claimWith(h headers) (*Claim, string) {
	r := &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, RequestURI: "/", Host: "example.com", Header: http.Header{
		"X-Amz-Date": {"20150830T123600Z"}, "X-Amz-Target": {"TrentService.Encrypt"}, "Authorization": {goodAuth},
	}}
	for name, value := range h {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	v := New(Config{Regions: []string{"us-east-1"}, Now: func() time.Time { return suiteTime }})
	claim, refusal := v.Claim(r, Scope{Service: "kms"})
	if refusal != nil {
		return nil, refusal.Error()
	}
	return claim, ""
}

func TestRefusalsOfClaims(t *testing.T) {
	auth := func(old, replacement string) headers {
		return headers{"Authorization": strings.Replace(goodAuth, old, replacement, 1)}
	}
	for _, test := range []struct {
		name    string
		headers headers
		want    string
	}{
		{"none", headers{}, ""},
		{"separators", headers{"Authorization": strings.ReplaceAll(goodAuth, ", ", ",")}, ""},
		{"signed headers in upper case", auth("host;x-amz-date", "Host;X-Amz-Date"), ""},
		{"no authorization", headers{"Authorization": ""}, "MissingAuthenticationTokenException: Missing Authentication Token"},
		{"another scheme", headers{"Authorization": "Bearer abc"}, "MissingAuthenticationTokenException: Missing Authentication Token"},
		{"no parts", headers{"Authorization": "AWS4-HMAC-SHA256", "X-Amz-Date": ""}, "IncompleteSignatureException: Authorization header requires 'Credential' parameter. " +
			"Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. " +
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
			"(Hashed with SHA-256 and encoded with Base64) Authorization=" + fingerprint("AWS4-HMAC-SHA256")},
		{"no signature", auth(", Signature=00", ""), "IncompleteSignatureException: Authorization header requires 'Signature' parameter. " +
			"(Hashed with SHA-256 and encoded with Base64) Authorization=" + fingerprint(strings.TrimSuffix(goodAuth, ", Signature=00"))},
		{"no equal sign", headers{"Authorization": "AWS4-HMAC-SHA256 Credential"},
			"IncompleteSignatureException: Invalid key=value pair (missing equal-sign) in Authorization header " +
				"(hashed with SHA-256 and encoded with Base64): '" + fingerprint("AWS4-HMAC-SHA256 Credential") + "'."},
		{"a space in the credential", auth("Credential=AKID", "Credential= AKID"), "IncompleteSignatureException: Invalid key=value pair (missing equal-sign) in Authorization header " +
			"(hashed with SHA-256 and encoded with Base64): '" + fingerprint(strings.Replace(goodAuth, "Credential=AKID", "Credential= AKID", 1)) + "'."},
		{"no date", headers{"X-Amz-Date": ""}, "IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
			"(Hashed with SHA-256 and encoded with Base64) Authorization=" + fingerprint(goodAuth)},
		{"garbled date", headers{"X-Amz-Date": "2015-08-30"}, "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got '2015-08-30'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"no such day", headers{"X-Amz-Date": "20150231T123600Z"}, "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got '20150231T123600Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"oldest", headers{"X-Amz-Date": "20150830T123100Z"}, ""},
		{"expired", headers{"X-Amz-Date": "20150830T123059Z"}, "InvalidSignatureException: Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{"newest", headers{"X-Amz-Date": "20150830T124100Z"}, ""},
		{"not yet", headers{"X-Amz-Date": "20150830T124101Z"}, "InvalidSignatureException: Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
		{"Date in HTTP's format", headers{"X-Amz-Date": "", "Date": "Sun, 30 Aug 2015 12:36:00 GMT", "Authorization": strings.Replace(goodAuth, "x-amz-date", "date", 1)}, ""},
		{"Date in the basic format", headers{"X-Amz-Date": "", "Date": "20150830T123600Z", "Authorization": strings.Replace(goodAuth, "x-amz-date", "date", 1)}, ""},
		{"Date unsigned", headers{"X-Amz-Date": "", "Date": "20150830T123600Z"}, "InvalidSignatureException: 'Date' must be a 'SignedHeader' in the AWS Authorization."},
		{"host unsigned", auth("host;", ""), "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"date unsigned", auth("x-amz-date;", ""), "InvalidSignatureException: 'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
		{"target unsigned", auth(";x-amz-target", ""), "InvalidSignatureException: 'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		{"algorithm", auth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), "IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1' (only AWS4-HMAC-SHA256 for now). "},
		{"short credential", auth("/aws4_request", ""), "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20150830/us-east-1/kms'"},
		{"long credential", auth("aws4_request", "aws4_request/x"), "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20150830/us-east-1/kms/aws4_request/x'"},
		{"region", auth("us-east-1", "us-east-2"), "InvalidSignatureException: Credential should be scoped to a valid region. "},
		{"service", auth("/kms/", "/s3/"), "InvalidSignatureException: Credential should be scoped to correct service: 'kms'. "},
		{"everything in the scope", auth("20150830/us-east-1/kms/aws4_request", "a/b/c/d"), "InvalidSignatureException: Credential should be scoped to a valid region. " +
			"Credential should be scoped to correct service: 'kms'. Credential should be scoped with a valid terminator: 'aws4_request'. " +
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'a' != '20150830', from '20150830T123600Z'. "},
		{"session token", headers{"X-Amz-Security-Token": "t", "Authorization": strings.Replace(goodAuth, "host;", "host;x-amz-security-token;", 1)}, ""},
		{"session token unsigned", headers{"X-Amz-Security-Token": "t"},
			"InvalidSignatureException: 'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := claimWith(test.headers); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRefusalsOfProofs(t *testing.T) {
	for _, test := range []struct{ name, signed, want string }{
		{"wrong", "host;x-amz-date;x-amz-target", errMismatch.Error()},
		{"absent header", "accept;host;x-amz-date;x-amz-target", "IncompleteSignatureException: 'accept' is named as a SignedHeader, but it does not exist in the HTTP request."},
		{"absent long header", strings.Repeat("a", 100) + ";host;x-amz-date;x-amz-target", "IncompleteSignatureException: '" + strings.Repeat("a", 100) + "' is named as a SignedHeader, but it does not exist in the HTTP request."},
	} {
		t.Run(test.name, func(t *testing.T) {
			auth := strings.Replace(goodAuth, "host;x-amz-date;x-amz-target", test.signed, 1)
			claim, refusal := claimWith(headers{"Authorization": auth})
			if refusal != "" {
				t.Fatal(refusal)
			}
			r := &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, RequestURI: "/", Host: "example.com", Header: http.Header{
				"X-Amz-Date": {"20150830T123600Z"}, "X-Amz-Target": {"TrentService.Encrypt"}}}
			if got := claim.Verify(r, [32]byte{}, Derive([]byte("secret"), claim)); got == nil || got.Error() != test.want {
				t.Errorf("got  %v\nwant %s", got, test.want)
			}
		})
	}
}

func TestKeysAreBoundedAndKeepWhatIsUsed(t *testing.T) {
	keys := NewKeys(10)
	hot := &Claim{AccessKeyID: "hot", Date: "20150830"}
	key := Derive([]byte("secret"), hot)
	keys.Put(hot, 1, key)
	for i := range 100 {
		keys.Put(&Claim{AccessKeyID: itoa(i)}, 1, Derive(nil, hot))
		if keys.Get(hot, 1) != key {
			t.Fatalf("the key in use was dropped after %d others", i+1)
		}
		if n := keys.Len(); n > 11 {
			t.Fatalf("%d keys are kept", n)
		}
	}
	if keys.Get(hot, 2) != nil {
		t.Error("a key was found under another revision of the access key")
	}
	if keys.Get(&Claim{AccessKeyID: "hot", Date: "20150831"}, 1) != nil {
		t.Error("a key was found under another day")
	}
}

// FuzzAuthorization: whatever the header, the parser ends, and what it accepts
// has all parts and comes from the header.
func FuzzAuthorization(f *testing.F) {
	f.Add(goodAuth)
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=,Signature==")
	f.Add("AWS4-")
	f.Fuzz(func(t *testing.T, header string) {
		claim, refusal := claimWith(headers{"Authorization": header})
		if (claim == nil) == (refusal == "") {
			t.Fatalf("claim %v and refusal %q", claim, refusal)
		}
		if claim == nil {
			return
		}
		for _, part := range []string{claim.AccessKeyID, claim.scope, claim.signedHeaders, claim.signature} {
			if !strings.Contains(header, part) {
				t.Errorf("%q is not in %q", part, header)
			}
		}
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, RequestURI: "/", Host: "example.com", Header: http.Header{"X-Amz-Date": {"20150830T123600Z"}}}
		if claim.Verify(r, [32]byte{}, Derive([]byte("secret"), claim)) == nil {
			t.Error("a signature was guessed")
		}
	})
}
