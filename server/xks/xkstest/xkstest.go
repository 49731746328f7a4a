// Package xkstest is an external key store proxy for tests: TLS with an authority
// of its own, SigV4, and external keys in memory with real AES-256-GCM, as "External
// Key Store Proxy API Specification" has it. It can be told to fail in each of the
// ways that a proxy, or the way to it, can.
package xkstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/server/sigv4"
	"github.com/cofre-kms/cofre/server/xks"
)

// The credential that a proxy begins with.
const (
	AccessKeyID     = "ABCDEFGHIJKLMNOPQRST2345"
	SecretAccessKey = "planted+proxy+secret/0123456789abcdefghijklmnop"
)

// Host is the name that the proxy's certificate is for.
const Host = "xks.example.com"

// Prefix is the path prefix of the proxy's only key store.
const Prefix = "/tests/one"

// Path is its whole path, as key stores name it.
const Path = Prefix + "/kms/xks/v1"

// Key is an external key.
type Key struct {
	Secret [32]byte
	xks.KeyMetadata
}

// Request is a request that a proxy has authenticated.
type Request struct {
	Path     string
	Metadata xks.RequestMetadata
	AAD      []byte
	// Text is the plaintext or ciphertext that came.
	Text []byte
}

// Proxy is an external key store proxy. It is safe for concurrent use.
type Proxy struct {
	server   *httptest.Server
	verifier *sigv4.Verifier
	roots    *x509.CertPool
	pem      []byte

	mu          sync.Mutex
	credentials map[string]string // secrets by access key id
	keys        map[string]*Key
	health      []xks.ManagerHealth
	metadata    []byte
	fail        func(operation string) *Failure
	hang        chan struct{} // while it is not nil, nothing is answered
	seen        []Request
}

// Failure is what a proxy answers in place of what it should.
type Failure struct {
	Status int
	Body   string
}

// Refuse is the failure of the specification of a name.
func Refuse(status int, name string) *Failure {
	body, _ := json.Marshal(xks.ErrorResponse{Name: name, Message: "planted-detail"})
	return &Failure{Status: status, Body: string(body)}
}

// New starts a proxy for a test. regions are those that requests may come from.
func New(t testing.TB, regions ...string) *Proxy {
	p := &Proxy{
		verifier: sigv4.New(sigv4.Config{Regions: regions}), credentials: map[string]string{AccessKeyID: SecretAccessKey},
		keys: map[string]*Key{}, health: []xks.ManagerHealth{{ID: "one", Model: "Test 1", Status: xks.Active}},
		metadata: []byte("version=1"),
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{p.certificate(t)}, MinVersion: tls.VersionTLS12}
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.StartTLS()
	t.Cleanup(p.close)
	return p
}

func (p *Proxy) close() {
	p.Release()
	p.server.Close()
}

// certificate makes an authority, and a certificate for Host.
func (p *Proxy) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: Host}, DNSNames: []string{Host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AddCert(leaf)
	p.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Endpoint is how key stores name the proxy.
func (p *Proxy) Endpoint() string { return "https://" + Host }

// Address is where it listens.
func (p *Proxy) Address() string { return p.server.Listener.Addr().String() }

// RootsPEM are the authorities that certify it.
func (p *Proxy) RootsPEM() []byte { return p.pem }

// Route is the way to it.
func (p *Proxy) Route() xks.Route {
	return xks.Route{Endpoint: p.Endpoint(), Address: p.Address(), Roots: p.roots}
}

// AddKey makes an external key that can be used, and answers it for the test to
// change under Change.
func (p *Proxy) AddKey(id string) *Key {
	k := &Key{KeyMetadata: xks.KeyMetadata{
		KeySpec: xks.AES256, KeyUsage: []string{xks.CanSeal, xks.CanOpen, "WRAP"}, KeyStatus: xks.StatusEnabled,
	}}
	_, _ = rand.Read(k.Secret[:])
	p.Change(func() { p.keys[id] = k })
	return k
}

// RemoveKey forgets an external key.
func (p *Proxy) RemoveKey(id string) { p.Change(func() { delete(p.keys, id) }) }

// SetCredentials replaces the credentials that are accepted, secrets by access
// key id.
func (p *Proxy) SetCredentials(credentials map[string]string) {
	p.Change(func() { p.credentials = credentials })
}

// SetHealth sets the states of the key managers.
func (p *Proxy) SetHealth(states ...string) {
	p.Change(func() {
		p.health = nil
		for _, s := range states {
			p.health = append(p.health, xks.ManagerHealth{ID: "m", Model: "Test 1", Status: s})
		}
	})
}

// SetMetadata sets the metadata of the next ciphertexts; nil: none.
func (p *Proxy) SetMetadata(b []byte) { p.Change(func() { p.metadata = b }) }

// Fail has authenticated requests fail where a function of their operation, the
// last part of the path, says so; nil: none do.
func (p *Proxy) Fail(of func(operation string) *Failure) { p.Change(func() { p.fail = of }) }

// FailAll has all authenticated requests fail.
func (p *Proxy) FailAll(f *Failure) { p.Fail(func(string) *Failure { return f }) }

// Hang has the proxy answer nothing until Release.
func (p *Proxy) Hang() { p.Change(func() { p.hang = make(chan struct{}) }) }

// Release ends Hang.
func (p *Proxy) Release() {
	p.Change(func() {
		if p.hang != nil {
			close(p.hang)
			p.hang = nil
		}
	})
}

// Seen are the authenticated requests so far.
func (p *Proxy) Seen() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// Change changes the proxy or its keys while nobody looks.
func (p *Proxy) Change(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	hang := p.hang
	p.mu.Unlock()
	if hang != nil {
		<-hang
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answer, failure := p.answer(r, body)
	w.Header().Set("Content-Type", "application/json")
	if failure != nil {
		w.WriteHeader(failure.Status)
		_, _ = io.WriteString(w, failure.Body)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *Proxy) answer(r *http.Request, body []byte) (any, *Failure) {
	if r.Method != http.MethodPost {
		return nil, &Failure{Status: http.StatusMethodNotAllowed}
	}
	if !p.authentic(r, body) {
		return nil, Refuse(http.StatusUnauthorized, "AuthenticationFailedException")
	}
	rest, ok := strings.CutPrefix(r.URL.Path, Path)
	if !ok {
		return nil, Refuse(http.StatusNotFound, "InvalidUriPathException")
	}
	p.note(r.URL.Path, body)
	operation := rest[strings.LastIndexByte(rest, '/')+1:]
	if p.fail != nil {
		if f := p.fail(operation); f != nil {
			return nil, f
		}
	}
	if rest == "/health" {
		return xks.Health{FleetSize: 1, Vendor: "Tests", Model: "Test 1", EKMVendor: "Tests", EKMDetails: p.health}, nil
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 4 || parts[1] != "keys" {
		return nil, Refuse(http.StatusNotFound, "InvalidUriPathException")
	}
	k := p.keys[parts[2]]
	if k == nil {
		return nil, Refuse(http.StatusNotFound, "KeyNotFoundException")
	}
	switch operation {
	case "metadata":
		return k.KeyMetadata, nil
	case "encrypt":
		return p.encrypt(k, body)
	case "decrypt":
		return p.decrypt(k, body)
	}
	return nil, Refuse(http.StatusNotFound, "InvalidUriPathException")
}

// authentic verifies the signature of a request as appendix A has it.
func (p *Proxy) authentic(r *http.Request, body []byte) bool {
	claim, refusal := p.verifier.Claim(r, sigv4.Scope{Service: xks.Service})
	if refusal != nil {
		return false
	}
	secret, known := p.credentials[claim.AccessKeyID]
	return known && claim.Verify(r, sha256.Sum256(body), sigv4.Derive([]byte(secret), claim)) == nil
}

func (p *Proxy) note(path string, body []byte) {
	var any struct {
		xks.MetadataRequest
		AAD        []byte `json:"additionalAuthenticatedData"`
		Plaintext  []byte `json:"plaintext"`
		Ciphertext []byte `json:"ciphertext"`
	}
	_ = json.Unmarshal(body, &any)
	p.seen = append(p.seen, Request{Path: path, Metadata: any.RequestMetadata, AAD: any.AAD, Text: append(any.Plaintext, any.Ciphertext...)})
}

// usable refuses a key that is not enabled, or does not do what is asked.
func (k *Key) usable(operation string) *Failure {
	switch {
	case k.KeyStatus != xks.StatusEnabled:
		return Refuse(http.StatusBadRequest, "InvalidStateException")
	case !slices.Contains(k.KeyUsage, operation):
		return Refuse(http.StatusBadRequest, "InvalidKeyUsageException")
	}
	return nil
}

func (p *Proxy) encrypt(k *Key, body []byte) (any, *Failure) {
	var req xks.EncryptRequest
	if json.Unmarshal(body, &req) != nil || req.Algorithm != xks.AESGCM || req.RequestMetadata.KMSKeyARN == "" ||
		len(req.Plaintext) > xks.MaxPlaintext || len(req.AAD) > xks.MaxAAD {
		return nil, Refuse(http.StatusBadRequest, "ValidationException")
	}
	if f := k.usable(xks.CanSeal); f != nil {
		return nil, f
	}
	iv := make([]byte, 12)
	_, _ = rand.Read(iv)
	sealed := k.gcm(12).Seal(nil, iv, req.Plaintext, xks.ManagerAAD(req.AAD, p.metadata))
	at := len(sealed) - xks.TagSize
	resp := xks.EncryptResponse{Ciphertext: xks.Ciphertext{Ciphertext: sealed[:at], Metadata: p.metadata, IV: iv, Tag: sealed[at:]}}
	if req.IntegrityAlgorithm == xks.SHA256 {
		resp.IntegrityValue = resp.Ciphertext.IntegrityValue(req.AAD)
	}
	return resp, nil
}

func (p *Proxy) decrypt(k *Key, body []byte) (any, *Failure) {
	var req xks.DecryptRequest
	if json.Unmarshal(body, &req) != nil || req.Algorithm != xks.AESGCM || req.RequestMetadata.KMSKeyARN == "" {
		return nil, Refuse(http.StatusBadRequest, "ValidationException")
	}
	if f := k.usable(xks.CanOpen); f != nil {
		return nil, f
	}
	if len(req.IV) != 12 && len(req.IV) != 16 {
		return nil, Refuse(http.StatusBadRequest, "InvalidCiphertextException")
	}
	plaintext, err := k.gcm(len(req.IV)).Open(nil, req.IV, append(slices.Clone(req.Ciphertext.Ciphertext), req.Tag...), xks.ManagerAAD(req.AAD, req.Metadata))
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "InvalidCiphertextException")
	}
	return xks.DecryptResponse{Plaintext: plaintext}, nil
}

func (k *Key) gcm(ivSize int) cipher.AEAD {
	block, _ := aes.NewCipher(k.Secret[:]) // 32 bytes are a key
	gcm, _ := cipher.NewGCMWithNonceSize(block, ivSize)
	return gcm
}
