package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"
)

func itoa(n int) string { return strconv.Itoa(n) }

// signed is a request that the SDK signed, as the server reads it.
type signed struct {
	request *http.Request
	body    []byte
	secret  string
	now     time.Time
}

func (s *signed) verify() error {
	v := New(Config{Regions: []string{"us-east-1", "eu-central-1"}, Now: func() time.Time { return s.now }})
	claim, refusal := v.Claim(s.request, Scope{Service: "kms"})
	if refusal != nil {
		return refusal
	}
	if refusal := claim.Verify(s.request, sha256.Sum256(s.body), Derive([]byte(s.secret), claim)); refusal != nil {
		return refusal
	}
	return nil
}

// drawSigned has the SDK sign a random request and sends it over a wire.
func drawSigned(t *rapid.T) *signed {
	s := &signed{
		body:   rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "body"),
		secret: rapid.StringMatching("[A-Za-z0-9/+]{40}").Draw(t, "secret"),
		now:    time.Unix(rapid.Int64Range(1e9, 3e9).Draw(t, "now"), 0),
	}
	// The SDK leaves //, . and .. in a path as they are; the specification does not.
	path := rapid.StringMatching(`(/[A-Za-z0-9 _~%ü+:-]{1,9}){0,3}/?`).Draw(t, "path")
	r, err := http.NewRequest(rapid.SampledFrom([]string{"POST", "GET", "PUT"}).Draw(t, "method"), "https://kms.example.com:7600", bytes.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path = path
	query := r.URL.Query()
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		query.Add(rapid.StringN(1, 5, 15).Draw(t, "name"), rapid.StringN(0, 5, 15).Draw(t, "value"))
	}
	r.URL.RawQuery = query.Encode()
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		r.Header.Add(rapid.StringMatching("(X-Amz-|My-)[a-zA-Z0-9]{1,8}").Draw(t, "header"), rapid.StringMatching("[ -~]{0,20}").Draw(t, "content"))
	}
	hash := sha256.Sum256(s.body)
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: s.secret}, r,
		hex.EncodeToString(hash[:]), "kms", rapid.SampledFrom([]string{"us-east-1", "eu-central-1"}).Draw(t, "region"), s.now)
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	if s.request, err = http.ReadRequest(bufio.NewReader(&wire)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatTheSDKSignsVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t)
		if err := s.verify(); err != nil {
			t.Fatalf("%v\n%s %s\n%v", err, s.request.Method, s.request.RequestURI, s.request.Header)
		}
	})
}

// mutations each change one thing that a signature protects. They answer false
// where there was nothing to change.
var mutations = map[string]func(*rapid.T, *signed) bool{
	"method": func(t *rapid.T, s *signed) bool { s.request.Method += "X"; return true },
	"path":   func(t *rapid.T, s *signed) bool { s.request.RequestURI = "/x" + s.request.RequestURI; return true },
	"query": func(t *rapid.T, s *signed) bool {
		separator := "?"
		if strings.Contains(s.request.RequestURI, "?") {
			separator = "&"
		}
		s.request.RequestURI += separator + "added"
		return true
	},
	"host":   func(t *rapid.T, s *signed) bool { s.request.Host += "x"; return true },
	"secret": func(t *rapid.T, s *signed) bool { s.secret = flip(t, s.secret); return true },
	"body": func(t *rapid.T, s *signed) bool {
		s.body = append(slices.Clone(s.body), rapid.Byte().Draw(t, "more"))
		return true
	},
	"signature": func(t *rapid.T, s *signed) bool {
		head, signature, _ := strings.Cut(s.request.Header.Get("Authorization"), "Signature=")
		s.request.Header.Set("Authorization", head+"Signature="+flip(t, signature))
		return true
	},
	"shorter signature": func(t *rapid.T, s *signed) bool {
		auth := s.request.Header.Get("Authorization")
		s.request.Header.Set("Authorization", auth[:len(auth)-rapid.IntRange(1, 64).Draw(t, "cut")])
		return true
	},
	"header value": func(t *rapid.T, s *signed) bool {
		name := rapid.SampledFrom(signedNames(s)).Draw(t, "header")
		if name == "Content-Length" {
			s.request.Header.Set(name, "12345")
			return true
		}
		s.request.Header[name] = append(slices.Clone(s.request.Header[name]), "added")
		return true
	},
	"header removed": func(t *rapid.T, s *signed) bool {
		name := rapid.SampledFrom(signedNames(s)).Draw(t, "header")
		if name == "Content-Length" {
			return false
		}
		delete(s.request.Header, name)
		return true
	},
	"x-amz header added": func(t *rapid.T, s *signed) bool {
		s.request.Header.Set("X-Amz-Added-"+rapid.StringMatching("[a-z]{1,5}").Draw(t, "name"), "v")
		return true
	},
	"region": replaceInScope("us-east-1", "eu-central-1"),
	"date":   func(t *rapid.T, s *signed) bool { s.now = s.now.Add(-25 * time.Hour); return true },
}

func replaceInScope(from, to string) func(*rapid.T, *signed) bool {
	return func(t *rapid.T, s *signed) bool {
		auth := s.request.Header.Get("Authorization")
		if !strings.Contains(auth, from) {
			return false
		}
		s.request.Header.Set("Authorization", strings.Replace(auth, from, to, 1))
		return true
	}
}

func signedNames(s *signed) []string {
	_, list, _ := strings.Cut(s.request.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	var names []string
	for _, name := range strings.Split(list, ";") {
		if name != "host" {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names
}

// flip changes one character.
func flip(t *rapid.T, s string) string {
	b := []byte(s)
	i := rapid.IntRange(0, len(b)-1).Draw(t, "place")
	b[i] ^= 1
	return string(b)
}

func TestEveryMutationIsRefused(t *testing.T) {
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := drawSigned(t)
				if mutate(t, s) && s.verify() == nil {
					t.Fatalf("verifies: %s %s\n%v", s.request.Method, s.request.RequestURI, s.request.Header)
				}
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	r, err := http.NewRequest("POST", "https://kms.us-east-1.example.com/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI = "/"
	r.Header.Set("X-Amz-Target", "TrentService.Encrypt")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	now := time.Unix(1.7e9, 0)
	body := []byte(`{"KeyId":"alias/example","Plaintext":"c2VjcmV0"}`)
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, r,
		hex.EncodeToString(hash[:]), "kms", "us-east-1", now); err != nil {
		b.Fatal(err)
	}
	r.Host = r.URL.Host
	v := New(Config{Regions: []string{"us-east-1"}, Now: func() time.Time { return now }})
	keys := NewKeys(100)
	for b.Loop() {
		claim, refusal := v.Claim(r, Scope{Service: "kms"})
		if refusal != nil {
			b.Fatal(refusal)
		}
		key := keys.Get(claim, 7)
		if key == nil {
			key = Derive([]byte("secret"), claim)
			keys.Put(claim, 7, key)
		}
		if refusal := claim.Verify(r, sha256.Sum256(body), key); refusal != nil {
			b.Fatal(refusal)
		}
	}
	b.ReportAllocs()
}
