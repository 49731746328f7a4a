package sts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer is an OpenID Connect provider on loopback.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) name() string { return strings.TrimPrefix(i.URL, "https://") }

// token is a token of the issuer, with claims in place of the usual ones.
func (i *issuer) token(t *testing.T, key *ecdsa.PrivateKey, with map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": i.URL, "sub": "repo:app", "aud": "sts.amazonaws.com",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for name, value := range with {
		claims[name] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// register makes the provider known in the account.
func (f *fixture) register(t *testing.T, i *issuer) (arn string) {
	t.Helper()
	sum := sha1.Sum(i.Certificate().Raw)
	return element(f.manage(t, "CreateOpenIDConnectProvider", "Url", i.URL, "ClientIDList.member.1", "sts.amazonaws.com",
		"ThumbprintList.member.1", hex.EncodeToString(sum[:])), "OpenIDConnectProviderArn")
}

// federated is a statement of a trust policy.
func federated(provider, condition string) string {
	return `{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":` + condition + `}`
}

func (f *fixture) login(t *testing.T, role, token string, more ...string) (string, error) {
	t.Helper()
	return f.do(t, "AssumeRoleWithWebIdentity", form(append([]string{"RoleArn", role, "RoleSessionName", "ci", "WebIdentityToken", token}, more...)...))
}

func TestWebIdentity(t *testing.T) {
	f := newFixture(t)
	i := newIssuer(t)
	provider := f.register(t, i)
	role := f.role(t, "CI", policyOf(federated(provider,
		`{"StringEquals":{"`+i.name()+`:sub":"repo:app","`+i.name()+`:aud":"sts.amazonaws.com"}}`)), "MaxSessionDuration", "7200")
	answer, err := f.login(t, role, i.token(t, i.key, nil), "DurationSeconds", "7200")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"SubjectFromWebIdentityToken": "repo:app", "Audience": "sts.amazonaws.com", "Provider": provider,
		"Arn": "arn:aws:sts::" + f.root.AccountID + ":assumed-role/CI/ci",
	} {
		if got := element(answer, name); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
	who, session := f.resume(t, element(answer, "SessionToken"))
	if who.Type != "AssumedRole" || session.Source != "" || session.Provider != provider || session.Subject != "repo:app" || session.Expires-session.Issued != 7_200_000 {
		t.Errorf("the session is %+v of %+v", session, who)
	}
	events := f.node.RawEvents(t)
	last := events[len(events)-1]
	for _, want := range []string{`"type":"WebIdentityUser"`, `"principalId":"` + i.name() + `:sts.amazonaws.com:repo:app"`, `"userName":"repo:app"`,
		`"identityProvider":"` + i.name() + `"`, `"subjectFromWebIdentityToken":"repo:app"`, `"type":"AWS::IAM::Role"`} {
		if !strings.Contains(last, want) {
			t.Errorf("no %s in %s", want, last)
		}
	}
	if strings.Contains(last, i.token(t, i.key, nil)[:40]) || strings.Contains(last, "sharedEventID") {
		t.Errorf("recorded as %s", last)
	}
}

// TestWebIdentityRefusals: each thing that can be wrong with a token, and with the
// role that it is for.
func TestWebIdentityRefusals(t *testing.T) {
	f := newFixture(t)
	i, stranger := newIssuer(t), newIssuer(t)
	provider := f.register(t, i)
	role := f.role(t, "CI", policyOf(federated(provider, `{"StringLike":{"`+i.name()+`:sub":"repo:*"}}`)))
	other := f.role(t, "Other", policyOf(federated("arn:aws:iam::"+f.root.AccountID+":oidc-provider/other.example.com", `{}`)))
	before := len(f.node.RawEvents(t))
	const unverified = "InvalidIdentityToken: The web identity token that was passed could not be validated by Amazon Web Services."
	for name, test := range map[string]struct{ token, want string }{
		"no token":         {"abcdef", "InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
		"audience":         {i.token(t, i.key, map[string]any{"aud": "another"}), "InvalidIdentityToken: Incorrect token audience"},
		"authorized party": {i.token(t, i.key, map[string]any{"azp": "another"}), "InvalidIdentityToken: Incorrect token audience"},
		"expired":          {i.token(t, i.key, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), "ExpiredTokenException: Token expired"},
		"signature":        {i.token(t, stranger.key, nil), unverified},
		"issuer": {stranger.token(t, stranger.key, nil),
			"InvalidIdentityToken: No OpenIDConnect provider found in your account for " + stranger.URL},
	} {
		if _, err := f.login(t, role, test.token); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := len(f.node.RawEvents(t)); after != before {
		t.Errorf("%d records of callers that nobody knows", after-before)
	}
	const denied = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
	for name, test := range map[string]struct{ role, token string }{
		"sub":          {role, i.token(t, i.key, map[string]any{"sub": "user:app"})},
		"another role": {other, i.token(t, i.key, nil)},
		"no role":      {role + "2", i.token(t, i.key, nil)},
	} {
		if _, err := f.login(t, test.role, test.token); err == nil || err.Error() != denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.login(t, role, i.token(t, i.key, nil), "DurationSeconds", "3601"); err == nil ||
		err.Error() != "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role." {
		t.Errorf("too long: %v", err)
	}
	if _, err := f.login(t, role, i.token(t, i.key, nil), "ProviderId", "www.amazon.com"); err == nil {
		t.Error("an OAuth provider is accepted")
	}
	// A provider that is deleted vouches for nobody, and so does a client that is taken from it.
	if _, err := f.login(t, role, i.token(t, i.key, nil)); err != nil {
		t.Fatal(err)
	}
	f.manage(t, "RemoveClientIDFromOpenIDConnectProvider", "OpenIDConnectProviderArn", provider, "ClientID", "sts.amazonaws.com")
	if _, err := f.login(t, role, i.token(t, i.key, nil)); err == nil || err.Error() != "InvalidIdentityToken: Incorrect token audience" {
		t.Errorf("without the client: %v", err)
	}
	f.manage(t, "DeleteOpenIDConnectProvider", "OpenIDConnectProviderArn", provider)
	if _, err := f.login(t, role, i.token(t, i.key, nil)); err == nil || !strings.HasPrefix(err.Error(), "InvalidIdentityToken: No OpenIDConnect provider") {
		t.Errorf("without the provider: %v", err)
	}
}
