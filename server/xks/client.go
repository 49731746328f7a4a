package xks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/sigv4"
)

// Config configures a Client.
type Config struct {
	// Routes are the proxies that may be called. Nothing else ever is.
	Routes []Route
	// Timeout bounds each call, connecting included; 0 means the specification's
	// 250 ms.
	Timeout time.Duration
	// Now is the clock that signatures are dated with; nil means time.Now.
	Now func() time.Time
}

// Route is the way to a proxy.
type Route struct {
	// Endpoint is the proxy as key stores name it: https://xks.example.com, always
	// without a port. Its certificate has to be for that name.
	Endpoint string
	// VPCService is the name of the VPC endpoint service by which key stores with
	// that connectivity name the route; empty: it is a public endpoint.
	VPCService string
	// Address is the host:port to connect to; empty: the endpoint's, port 443.
	Address string
	// Roots are the authorities that certify the proxy; nil means the system's.
	Roots *x509.CertPool
	// Certificate is what the client shows to a proxy that asks for one; nil: none.
	Certificate *tls.Certificate
}

const (
	usualTimeout = 250 * time.Millisecond
	// maxAnswer bounds an answer, in bytes: the longest is a plaintext in base64.
	maxAnswer = 64 << 10
	// maxSigningKeys bounds the signing keys in memory: one for each store and day.
	maxSigningKeys = 256
	// maxConnections bounds the connections to one proxy. A call beyond waits, and
	// its time runs.
	maxConnections = 128
)

// Client calls proxies. No call is sent twice but where its connection was closed
// before the proxy could have read any of it: whether to try again is the caller's
// decision, as the specification has it. It is safe for concurrent use.
type Client struct {
	routes  []route
	timeout time.Duration
	now     func() time.Time
	keys    *sigv4.Keys
}

type route struct {
	Route
	http *http.Client
}

// New makes a client.
func New(cfg Config) *Client {
	c := &Client{timeout: cmp.Or(cfg.Timeout, usualTimeout), now: cfg.Now, keys: sigv4.NewKeys(maxSigningKeys)}
	if c.now == nil {
		c.now = time.Now
	}
	for _, r := range cfg.Routes {
		c.routes = append(c.routes, route{Route: r, http: &http.Client{
			Transport: transport(r),
			// An answer that sends us elsewhere is not one of the specification's.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}})
	}
	return c
}

func transport(r Route) *http.Transport {
	host := strings.TrimPrefix(r.Endpoint, "https://")
	address := cmp.Or(r.Address, net.JoinHostPort(host, "443"))
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: r.Roots}
	if r.Certificate != nil {
		settings.Certificates = []tls.Certificate{*r.Certificate}
	}
	dialer := &net.Dialer{}
	return &http.Transport{
		TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: maxConnections, MaxConnsPerHost: maxConnections, IdleConnTimeout: time.Minute,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}
}

// Store is one external key store: its proxy, and what proves that the caller is
// its owner.
type Store struct {
	Endpoint   string // https://xks.example.com
	VPCService string // empty: a public endpoint
	Path       string // /prefix/kms/xks/v1
	Region     string // from which KMS calls: part of the signature's scope
	// AccessKeyID names the secret to the proxy. SecretID names it to the client, which
	// keeps signing keys by it: no two secrets ever have the same.
	AccessKeyID string
	SecretID    string
	// Secret answers the raw secret access key; the client wipes it.
	Secret func(ctx context.Context) ([]byte, error)
}

// Configured says whether there is a route to a proxy.
func (c *Client) Configured(endpoint, vpcService string) bool {
	return c.route(endpoint, vpcService) != nil
}

func (c *Client) route(endpoint, vpcService string) *route {
	i := slices.IndexFunc(c.routes, func(r route) bool {
		return strings.EqualFold(r.Endpoint, endpoint) && r.VPCService == vpcService
	})
	if i < 0 {
		return nil
	}
	return &c.routes[i]
}

// Serves says whether any route belongs to a VPC endpoint service.
func (c *Client) Serves(vpcService string) bool {
	return slices.ContainsFunc(c.routes, func(r route) bool { return r.VPCService == vpcService })
}

// Health asks whether the proxy and its key managers are ready (GetHealthStatus).
// The errors of all calls are an *Error, or not the proxy's: the caller's context,
// a secret that cannot be opened.
func (c *Client) Health(ctx context.Context, s *Store, m RequestMetadata) (*Health, error) {
	var h Health
	if err := c.call(ctx, s, "/health", MetadataRequest{m}, &h); err != nil {
		return nil, err
	}
	if h.FleetSize < 1 || len(h.EKMDetails) < 1 || len(h.EKMDetails) > 10 || slices.ContainsFunc(h.EKMDetails, unknownStatus) {
		return nil, malformed("a health status that is none")
	}
	return &h, nil
}

func unknownStatus(m ManagerHealth) bool {
	return m.Status != Active && m.Status != Degraded && m.Status != Unavailable
}

// Usable says whether any key manager can serve.
func (h *Health) Usable() bool {
	return slices.ContainsFunc(h.EKMDetails, func(m ManagerHealth) bool { return m.Status != Unavailable })
}

// KeyMetadata asks what an external key is (GetKeyMetadata).
func (c *Client) KeyMetadata(ctx context.Context, s *Store, key string, m RequestMetadata) (*KeyMetadata, error) {
	var k KeyMetadata
	if err := c.call(ctx, s, "/keys/"+key+"/metadata", MetadataRequest{m}, &k); err != nil {
		return nil, err
	}
	if k.KeySpec == "" || len(k.KeyUsage) > 10 || k.KeyStatus != StatusEnabled && k.KeyStatus != StatusDisabled {
		return nil, malformed("key metadata that is none")
	}
	return &k, nil
}

// Usable says whether the key can be the external key of a KMS key.
func (k *KeyMetadata) Usable() bool {
	return k.KeySpec == AES256 && k.KeyStatus == StatusEnabled && slices.Contains(k.KeyUsage, CanSeal) && slices.Contains(k.KeyUsage, CanOpen)
}

// Encrypt encrypts with an external key, and proves by the integrity value that
// what arrived is what the proxy has seen open again.
func (c *Client) Encrypt(ctx context.Context, s *Store, key string, m RequestMetadata, plaintext, aad []byte) (*Ciphertext, error) {
	var resp EncryptResponse
	req := EncryptRequest{RequestMetadata: m, AAD: aad, Plaintext: plaintext, Algorithm: AESGCM, IntegrityAlgorithm: SHA256}
	if err := c.call(ctx, s, "/keys/"+key+"/encrypt", req, &resp); err != nil {
		return nil, err
	}
	if !resp.valid(len(plaintext)) {
		return nil, malformed("a ciphertext that is none")
	}
	if subtle.ConstantTimeCompare(resp.IntegrityValue, resp.Ciphertext.IntegrityValue(aad)) != 1 {
		return nil, malformed("a ciphertext whose integrity value is another's")
	}
	return &resp.Ciphertext, nil
}

// Decrypt decrypts what Encrypt made.
func (c *Client) Decrypt(ctx context.Context, s *Store, key string, m RequestMetadata, ciphertext *Ciphertext, aad []byte) ([]byte, error) {
	var resp DecryptResponse
	req := DecryptRequest{RequestMetadata: m, Ciphertext: *ciphertext, Algorithm: AESGCM, AAD: aad}
	if err := c.call(ctx, s, "/keys/"+key+"/decrypt", req, &resp); err != nil {
		return nil, err
	}
	if len(resp.Plaintext) != len(ciphertext.Ciphertext) {
		return nil, malformed("a plaintext of another length")
	}
	return resp.Plaintext, nil
}

// call posts one request and reads its answer.
func (c *Client) call(ctx context.Context, s *Store, path string, request, into any) error {
	to := c.route(s.Endpoint, s.VPCService)
	if to == nil {
		return &Error{Failure: NotConfigured, Detail: "no route to " + s.Endpoint}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding a request to an external key store proxy: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(within, http.MethodPost, s.Endpoint+s.Path+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request to an external key store proxy: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := c.sign(ctx, s, r, sha256.Sum256(body)); err != nil {
		return err
	}
	answer, err := to.http.Do(r)
	if err != nil {
		return failed(ctx, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return failed(ctx, err)
	case len(text) > maxAnswer:
		return malformed("an answer that is too long")
	case answer.StatusCode != http.StatusOK:
		return refused(answer.StatusCode, text)
	}
	if json.Unmarshal(text, into) != nil { // its error may hold what the answer holds
		return malformed("an answer that is not the JSON it should be")
	}
	return nil
}

// refused reads the answer of a proxy that refuses.
func refused(status int, text []byte) error {
	var e ErrorResponse
	if json.Unmarshal(text, &e) != nil || e.Name == "" {
		return malformed(fmt.Sprintf("status %d without an error", status))
	}
	return &Error{Failure: named(e.Name), Detail: fmt.Sprintf("status %d, %.64s: %.512s", status, printable(e.Name), printable(e.Message))}
}

// printable is what a log may hold of a stranger's text ("Error codes": printable
// ASCII).
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func malformed(what string) error { return &Error{Failure: Malformed, Detail: what} }

// sign signs a request as the store's owner. The secret is opened once a day.
func (c *Client) sign(ctx context.Context, s *Store, r *http.Request, body [sha256.Size]byte) error {
	now := c.now()
	scope := sigv4.NewClaim(s.AccessKeyID, s.Region, Service, now)
	named := *scope
	named.AccessKeyID = s.SecretID // access key ids are not unique among stores
	key := c.keys.Get(&named, 0)
	if key == nil {
		secret, err := s.Secret(ctx)
		if err != nil {
			return err
		}
		key = sigv4.Derive(secret, scope)
		clear(secret)
		c.keys.Put(&named, 0, key)
	}
	return scope.Sign(r, body, key)
}
