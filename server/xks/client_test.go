package xks_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/server/sigv4"
	"github.com/cofre-kms/cofre/server/xks"
	"github.com/cofre-kms/cofre/server/xks/xkstest"
)

const region = "eu-central-1"

// patience is a timeout that no machine under load reaches.
const patience = time.Minute

func newClient(p *xkstest.Proxy, timeout time.Duration) *xks.Client {
	return xks.New(xks.Config{Routes: []xks.Route{p.Route()}, Timeout: timeout})
}

func store(p *xkstest.Proxy) *xks.Store {
	return &xks.Store{
		Endpoint: p.Endpoint(), Path: xkstest.Path, Region: region, AccessKeyID: xkstest.AccessKeyID, SecretID: "1",
		Secret: func(context.Context) ([]byte, error) { return []byte(xkstest.SecretAccessKey), nil },
	}
}

func about(operation string) xks.RequestMetadata {
	return xks.RequestMetadata{AWSPrincipalARN: "arn:aws:iam::111122223333:user/a", KMSKeyARN: "arn:key", KMSOperation: operation, KMSRequestID: "r"}
}

func TestCalls(t *testing.T) {
	p := xkstest.New(t, region)
	c, s := newClient(p, patience), store(p)
	h, err := c.Health(t.Context(), s, xks.RequestMetadata{KMSOperation: "ConnectCustomKeyStore", KMSRequestID: "r"})
	if err != nil || !h.Usable() {
		t.Fatal(h, err)
	}
	p.AddKey("key-1")
	k, err := c.KeyMetadata(t.Context(), s, "key-1", about("CreateKey"))
	if err != nil || !k.Usable() {
		t.Fatal(k, err)
	}
	for _, metadata := range [][]byte{nil, []byte("version=1"), make([]byte, xks.MaxMetadata)} {
		for _, aad := range [][]byte{nil, []byte("aad"), make([]byte, xks.MaxAAD)} {
			p.SetMetadata(metadata)
			plaintext := bytes.Repeat([]byte("p"), xks.MaxPlaintext)
			sealed, err := c.Encrypt(t.Context(), s, "key-1", about("Encrypt"), plaintext, aad)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := c.Decrypt(t.Context(), s, "key-1", about("Decrypt"), sealed, aad)
			if err != nil || !bytes.Equal(opened, plaintext) {
				t.Fatal(err)
			}
			_, err = c.Decrypt(t.Context(), s, "key-1", about("Decrypt"), sealed, append([]byte("x"), aad...)[:max(1, len(aad))])
			expect(t, err, xks.InvalidCiphertext)
		}
	}
	for _, r := range p.Seen() {
		if r.Metadata.KMSRequestID != "r" || r.Metadata.KMSOperation == "" {
			t.Errorf("request metadata: %+v", r)
		}
	}
}

func expect(t *testing.T, err error, want xks.Failure) {
	t.Helper()
	var e *xks.Error
	if !errors.As(err, &e) || e.Failure != want {
		t.Fatalf("got %v, want failure %d", err, want)
	}
}

// TestRefusals has a proxy answer everything that the specification names, and
// what it does not.
func TestRefusals(t *testing.T) {
	p := xkstest.New(t, region)
	c, s := newClient(p, patience), store(p)
	p.AddKey("key-1")
	for name, want := range map[string]xks.Failure{
		"ValidationException": xks.Malformed, "InvalidStateException": xks.InvalidState,
		"InvalidCiphertextException": xks.InvalidCiphertext, "InvalidKeyUsageException": xks.InvalidKeyUsage,
		"AuthenticationFailedException": xks.AuthenticationFailed, "AccessDeniedException": xks.AccessDenied,
		"KeyNotFoundException": xks.KeyNotFound, "InvalidUriPathException": xks.InvalidURIPath,
		"ThrottlingException": xks.Throttled, "UnsupportedOperationException": xks.Unsupported,
		"DependencyTimeoutException": xks.DependencyTimeout, "InternalException": xks.Internal, "OtherException": xks.Malformed,
	} {
		p.FailAll(xkstest.Refuse(400, name))
		_, err := c.Encrypt(t.Context(), s, "key-1", about("Encrypt"), []byte("x"), nil)
		expect(t, err, want)
	}
	long := strings.Repeat("x", 70<<10)
	for _, f := range []struct {
		status int
		body   string
	}{
		{200, ""}, {200, "{}"}, {200, "[]"}, {200, `{"ciphertext":7}`}, {200, long}, {500, "no JSON"}, {503, "{}"}, {302, ""}, {204, ""},
		{200, `{"ciphertext":"eA==","initializationVector":"AAAAAAAAAAAAAAAA","authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA=="}`},
		{200, `{"ciphertext":"eHg=","initializationVector":"AAAAAAAAAAAAAAAA","authenticationTag":"AAAAAAAAAAAAAAAAAAAAAA==","ciphertextDataIntegrityValue":"AA=="}`},
		{200, `{"xksProxyFleetSize":1,"ekmFleetDetails":[]}`}, {200, `{"xksProxyFleetSize":1,"ekmFleetDetails":[{"healthStatus":"GOOD"}]}`},
		{200, `{"plaintext":"eHh4"}`}, {200, `{"keySpec":"AES_256","keyStatus":"MAYBE"}`},
	} {
		p.FailAll(&xkstest.Failure{Status: f.status, Body: f.body})
		_, err := c.Encrypt(t.Context(), s, "key-1", about("Encrypt"), []byte("x"), nil)
		expect(t, err, xks.Malformed)
		_, err = c.Decrypt(t.Context(), s, "key-1", about("Decrypt"), &xks.Ciphertext{Ciphertext: []byte("x")}, nil)
		expect(t, err, xks.Malformed)
		_, err = c.Health(t.Context(), s, about("ConnectCustomKeyStore"))
		expect(t, err, xks.Malformed)
		_, err = c.KeyMetadata(t.Context(), s, "key-1", about("CreateKey"))
		expect(t, err, xks.Malformed)
	}
}

// TestWay breaks the way to the proxy.
func TestWay(t *testing.T) {
	p := xkstest.New(t, region)
	s := store(p)
	way := func(change func(*xks.Route)) *xks.Client {
		r := p.Route()
		change(&r)
		return xks.New(xks.Config{Routes: []xks.Route{r}, Timeout: patience})
	}
	health := func(c *xks.Client) error {
		_, err := c.Health(t.Context(), s, about("ConnectCustomKeyStore"))
		return err
	}
	expect(t, health(way(func(r *xks.Route) { r.Endpoint = "https://other.example.com" })), xks.NotConfigured)
	expect(t, health(way(func(r *xks.Route) { r.VPCService = "com.amazonaws.vpce.x" })), xks.NotConfigured)
	expect(t, health(way(func(r *xks.Route) { r.Roots = nil })), xks.TLSFailed)

	other := *s
	other.Endpoint = "https://other.example.com" // what the certificate is not for
	_, err := way(func(r *xks.Route) { r.Endpoint = other.Endpoint }).Health(t.Context(), &other, about("ConnectCustomKeyStore"))
	expect(t, err, xks.TLSFailed)

	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answering := &http.Server{Handler: http.NotFoundHandler()}
	go answering.Serve(plain)
	t.Cleanup(func() { answering.Close() })
	expect(t, health(way(func(r *xks.Route) { r.Address = plain.Addr().String() })), xks.TLSFailed)

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	expect(t, health(way(func(r *xks.Route) { r.Address = closed.Addr().String() })), xks.Unreachable)

	p.Hang()
	expect(t, health(newClient(p, 50*time.Millisecond)), xks.TimedOut)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newClient(p, patience).Health(ctx, s, about("ConnectCustomKeyStore"))
	if e := (*xks.Error)(nil); errors.As(err, &e) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who went away: %v", err)
	}
}

// TestCredentials rotates a store's credential, and sees that a wrong one fails.
func TestCredentials(t *testing.T) {
	p := xkstest.New(t, region)
	c, s := newClient(p, patience), store(p)
	health := func(s *xks.Store) error {
		_, err := c.Health(t.Context(), s, about("ConnectCustomKeyStore"))
		return err
	}
	if err := health(s); err != nil {
		t.Fatal(err)
	}
	elsewhere := *s
	elsewhere.Region = "mars-north-1"
	expect(t, health(&elsewhere), xks.AuthenticationFailed)
	p.SetCredentials(map[string]string{xkstest.AccessKeyID: "another"})
	expect(t, health(s), xks.AuthenticationFailed)
	next := *s
	next.SecretID, next.Secret = "2", func(context.Context) ([]byte, error) { return []byte("another"), nil }
	if err := health(&next); err != nil {
		t.Fatal(err)
	}
	third := *s // another store with the same access key id
	third.SecretID = "1b"
	third.Secret = next.Secret
	if err := health(&third); err != nil {
		t.Fatal(err)
	}
	oops := errors.New("oops")
	next.SecretID, next.Secret = "3", func(context.Context) ([]byte, error) { return nil, oops }
	if err := health(&next); !errors.Is(err, oops) {
		t.Errorf("a secret that does not open: %v", err)
	}
}

// TestSignature holds our signature against that of AWS's SDK.
func TestSignature(t *testing.T) {
	now := time.Date(2026, 8, 10, 22, 38, 27, 0, time.UTC)
	body := []byte(`{"requestMetadata":{}}`)
	sum := sha256.Sum256(body)
	request := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://xks.example.com/a-b/c_d/kms/xks/v1/keys/a.b_c-d/encrypt", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	theirs, ours := request(), request()
	err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: xkstest.AccessKeyID, SecretAccessKey: xkstest.SecretAccessKey},
		theirs, hex.EncodeToString(sum[:]), xks.Service, region, now)
	if err != nil {
		t.Fatal(err)
	}
	claim := sigv4.NewClaim(xkstest.AccessKeyID, region, xks.Service, now)
	if err := claim.Sign(ours, sum, sigv4.Derive([]byte(xkstest.SecretAccessKey), claim)); err != nil {
		t.Fatal(err)
	}
	if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestIntegrityValue is the example of appendix C.
func TestIntegrityValue(t *testing.T) {
	b := func(text string) []byte {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return decoded
	}
	c := xks.Ciphertext{
		Ciphertext: b("ghxkK1txeDNn3q8Y"), Metadata: b("a2V5X3ZlcnNpb249MQ=="), IV: b("HMrlRw85cAJUd5Ax"), Tag: b("vBxN2ncH1oEkR8WVXpmyYQ=="),
	}
	got := c.IntegrityValue(b("cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n"))
	if want := "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc="; base64.StdEncoding.EncodeToString(got) != want {
		t.Errorf("got %x", got)
	}
}
