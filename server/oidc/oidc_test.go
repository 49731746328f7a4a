package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cofre-kms/cofre/server/oidc"
)

// issuer is a provider on loopback.
type issuer struct {
	*httptest.Server
	keys    []jose.JSONWebKey // published
	fetched atomic.Int64
	name    string // what it says that it is, "" for the truth
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("/realm/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		name := i.name
		if name == "" {
			name = i.URL + "/realm"
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) provider() oidc.Provider {
	sum := sha1.Sum(i.Certificate().Raw)
	return oidc.Provider{URL: strings.TrimPrefix(i.URL, "https://") + "/realm", Thumbprints: []string{hex.EncodeToString(sum[:])}}
}

// key makes a key, and publishes it.
func (i *issuer) key(t *testing.T, id string) jose.SigningKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.keys = append(i.keys, jose.JSONWebKey{Key: &private.PublicKey, KeyID: id, Algorithm: "ES256", Use: "sig"})
	return jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: id}}
}

func (i *issuer) sign(t *testing.T, key jose.SigningKey, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type m = map[string]any

func (i *issuer) claims(with m) m {
	c := m{"iss": i.URL + "/realm", "sub": "repo:x", "aud": "sts.amazonaws.com", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for name, value := range with {
		c[name] = value
		if value == nil {
			delete(c, name)
		}
	}
	return c
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	key, v := i.key(t, "1"), oidc.New(nil)
	raw := i.sign(t, key, i.claims(m{"amr": "unauthenticated", "aud": []string{"a", "b"}}))
	if url, err := oidc.Issuer(raw); err != nil || url != i.provider().URL {
		t.Errorf("its issuer is %s, %v", url, err)
	}
	for range 2 {
		token, err := v.Verify(t.Context(), i.provider(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if token.Subject != "repo:x" || token.Recipient() != "a" || len(token.Audience) != 2 || token.Methods[0] != "unauthenticated" {
			t.Errorf("%+v", token)
		}
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("its keys were fetched %d times", n)
	}
	token, err := v.Verify(t.Context(), i.provider(), i.sign(t, key, i.claims(m{"azp": "p", "amr": []string{"mfa"}})))
	if err != nil || token.Recipient() != "p" {
		t.Errorf("%+v, %v", token, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	i := newIssuer(t)
	key := i.key(t, "1")
	stranger := newIssuer(t).key(t, "1")
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		raw  string
		want error
	}{
		"another's signature": {i.sign(t, stranger, i.claims(nil)), oidc.ErrToken},
		"expired":             {i.sign(t, key, i.claims(m{"exp": time.Now().Add(-time.Second).Unix()})), oidc.ErrExpired},
		"not yet":             {i.sign(t, key, i.claims(m{"nbf": time.Now().Add(time.Hour).Unix()})), oidc.ErrToken},
		"no expiry":           {i.sign(t, key, i.claims(m{"exp": nil})), oidc.ErrToken},
		"no subject":          {i.sign(t, key, i.claims(m{"sub": nil})), oidc.ErrToken},
		"another issuer":      {i.sign(t, key, i.claims(m{"iss": "https://example.com"})), oidc.ErrToken},
		"symmetric": {i.sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: make([]byte, 32)}, i.claims(nil)),
			oidc.ErrToken},
		"key of another kind": {i.sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: weak, KeyID: "1"}}, i.claims(nil)),
			oidc.ErrToken},
		"no token": {"a.b.c", oidc.ErrToken},
		"none":     {"eyJhbGciOiJub25lIn0.e30.", oidc.ErrToken},
		"too long": {strings.Repeat("a", 20001), oidc.ErrToken},
	} {
		t.Run(name, func(t *testing.T) {
			if token, err := oidc.New(nil).Verify(t.Context(), i.provider(), test.raw); !errors.Is(err, test.want) {
				t.Errorf("%+v, %v", token, err)
			}
		})
	}
}

// TestRotation: a key that is new is asked for, but not more than now and then.
func TestRotation(t *testing.T) {
	i, now := newIssuer(t), time.Now()
	v := oidc.New(func() time.Time { return now })
	first := i.key(t, "1")
	if _, err := v.Verify(t.Context(), i.provider(), i.sign(t, first, i.claims(nil))); err != nil {
		t.Fatal(err)
	}
	i.keys = nil
	second := i.key(t, "2")
	raw := i.sign(t, second, i.claims(nil))
	if _, err := v.Verify(t.Context(), i.provider(), raw); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("at once: %v", err)
	}
	now = now.Add(10 * time.Second)
	if _, err := v.Verify(t.Context(), i.provider(), raw); err != nil {
		t.Errorf("after a while: %v", err)
	}
	if n := i.fetched.Load(); n != 2 {
		t.Errorf("fetched %d times", n)
	}
	if _, err := v.Verify(t.Context(), i.provider(), i.sign(t, first, i.claims(nil))); !errors.Is(err, oidc.ErrToken) {
		t.Errorf("the withdrawn key: %v", err)
	}
}

func TestProviderIsVerified(t *testing.T) {
	i := newIssuer(t)
	raw := i.sign(t, i.key(t, "1"), i.claims(nil))
	for name, p := range map[string]oidc.Provider{
		"no thumbprint":      {URL: i.provider().URL},
		"another thumbprint": {URL: i.provider().URL, Thumbprints: []string{strings.Repeat("0", 40)}},
		"nobody there":       {URL: "127.0.0.1:1/realm", Thumbprints: i.provider().Thumbprints},
		"no such page":       {URL: strings.TrimSuffix(i.provider().URL, "/realm"), Thumbprints: i.provider().Thumbprints},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := oidc.New(nil).Verify(t.Context(), p, raw); !errors.Is(err, oidc.ErrProvider) {
				t.Errorf("%v", err)
			}
		})
	}
	i.name = "https://example.com"
	if _, err := oidc.New(nil).Verify(t.Context(), i.provider(), raw); !errors.Is(err, oidc.ErrProvider) {
		t.Errorf("one that says it is another: %v", err)
	}
}
