package kms_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/sigv4"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
	"github.com/cofre-kms/cofre/server/xks/xkstest"
	"github.com/cofre-kms/cofre/server/xksproxy"
)

// The proxy's certificate in these tests is httptest's, for example.com.
const (
	proxyEndpoint = "https://example.com"
	proxyPath     = "/cofre/kms/xks/v1"
)

// served is a fixture whose keys AWS KMS can use: as the user aws-kms, over TLS.
func served(t *testing.T) (*fixture, *httptest.Server, *call.Principal) {
	f := newFixture(t)
	who := f.user(account, "aws-kms")
	proxy := xksproxy.New(xksproxy.Config{
		Node: f.node, Keys: f.service, Deadline: time.Minute, Version: "test",
		Stores: []xksproxy.Store{{
			Path: proxyPath, Account: account, Region: region, User: "aws-kms", AWSRegions: []string{"us-west-2", region},
			Secrets: map[string][]byte{xkstest.AccessKeyID: []byte(xkstest.SecretAccessKey), "SECONDSECONDSECOND22": []byte("second")},
		}},
	})
	server := httptest.NewTLSServer(proxy)
	t.Cleanup(server.Close)
	return f, server, who
}

func routeTo(server *httptest.Server) xks.Route {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return xks.Route{Endpoint: proxyEndpoint, Address: server.Listener.Addr().String(), Roots: roots}
}

// TestCofreBehindCofre lets one Cofre use the keys of another as AWS KMS would: an
// external key store here, the proxy there, TLS between them.
func TestCofreBehindCofre(t *testing.T) {
	there, server, who := served(t)
	there.allow(who, "kms:DescribeKey", "kms:Encrypt", "kms:Decrypt")
	far, farARN := there.create(m{})

	here := newFixture(t)
	here.proxies = xks.New(xks.Config{Routes: []xks.Route{routeTo(server)}, Timeout: time.Minute})
	here.use(here.hsm)
	store := here.do("CreateCustomKeyStore", m{
		"CustomKeyStoreName": "there", "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
		"XksProxyUriEndpoint": proxyEndpoint, "XksProxyUriPath": proxyPath,
		"XksProxyAuthenticationCredential": m{"AccessKeyId": xkstest.AccessKeyID, "RawSecretAccessKey": xkstest.SecretAccessKey},
	}).text("CustomKeyStoreId")
	here.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	near, nearARN := here.create(m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": far})
	if e := there.event(); e.EventName != "DescribeKey" || !strings.Contains(there.recorded(additional), `"kmsOperation":"CreateKey"`) {
		t.Errorf("record there: %+v", e)
	}

	labels := m{"a": strings.Repeat("b", 5000)}
	plaintext := strings.Repeat("p", 4096)
	sealed := here.encrypt(near, plaintext, labels)
	e := there.event()
	if got := there.recorded(additional); e.EventName != "Encrypt" || e.UserIdentity.ARN != who.ARN || len(e.Resources) != 1 || e.Resources[0].ARN != farARN ||
		!strings.Contains(got, `"kmsKeyArn":"`+nearARN+`"`) || !strings.Contains(got, `"awsPrincipalArn":"`+admin(account).ARN+`"`) {
		t.Errorf("record there: %+v %s", e, got)
	}
	there.do("RotateKeyOnDemand", m{"KeyId": far}) // what is older still opens
	younger := here.encrypt(near, plaintext, labels)
	for _, blob := range []string{sealed, younger} {
		if got := here.do("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": labels}); string(got.bytes("Plaintext")) != plaintext {
			t.Error("another plaintext")
		}
	}
	const rejected = "KMSInvalidStateException: "
	here.refuseStart("Decrypt", m{"CiphertextBlob": sealed}, rejected+"The external key store proxy rejected the request because the specified ciphertext")
	there.do("DisableKey", m{"KeyId": far})
	here.refuseStart("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": labels}, rejected+"The external key associated with this KMS key in an external key store is not enabled")
	there.do("EnableKey", m{"KeyId": far})
	there.allow(who, "kms:DescribeKey")
	here.refuseStart("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": labels}, rejected+"The external key store proxy denied access")

	other, _ := there.create(m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
	disabled, _ := there.create(m{})
	there.do("DisableKey", m{"KeyId": disabled})
	for external, want := range map[string]string{other: "XksKeyInvalidConfigurationException", disabled: "XksKeyInvalidConfigurationException", absent: "XksKeyNotFoundException"} {
		here.refuseStart("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external}, want)
	}
	for _, r := range there.node.RawEvents(t) {
		if strings.Contains(r, xkstest.SecretAccessKey) || strings.Contains(r, "pppp") {
			t.Errorf("a secret is in %s", r)
		}
	}
}

// TestServedProxy sends the proxy what the specification has, and what it has not.
func TestServedProxy(t *testing.T) {
	f, server, who := served(t)
	f.allow(who, "kms:DescribeKey", "kms:Encrypt", "kms:Decrypt")
	id, arn := f.create(m{})
	client := xks.New(xks.Config{Routes: []xks.Route{routeTo(server)}, Timeout: time.Minute})
	store := &xks.Store{Endpoint: proxyEndpoint, Path: proxyPath, Region: "us-west-2", AccessKeyID: "SECONDSECONDSECOND22", SecretID: "2",
		Secret: func(context.Context) ([]byte, error) { return []byte("second"), nil }}
	about := xks.RequestMetadata{AWSPrincipalARN: "arn:aws:iam::1:user/a", KMSKeyARN: arn, KMSOperation: "BulkEncrypt", KMSRequestID: "r"}
	if h, err := client.Health(t.Context(), store, about); err != nil || h.EKMDetails[0].Status != xks.Active {
		t.Error(h, err)
	}
	if last := f.event().EventName; last != "CreateKey" {
		t.Errorf("a look at the health is recorded: %s", last)
	}
	sealed, err := client.Encrypt(t.Context(), store, id, about, make([]byte, xks.MaxPlaintext), make([]byte, xks.MaxAAD))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Decrypt(t.Context(), store, id, about, sealed, make([]byte, xks.MaxAAD)); err != nil {
		t.Error(err)
	}
	for _, part := range [][]byte{sealed.Ciphertext, sealed.Metadata, sealed.IV, sealed.Tag} {
		for i := range part[:min(len(part), 40)] {
			part[i] ^= 1
			if _, err := client.Decrypt(t.Context(), store, id, about, sealed, make([]byte, xks.MaxAAD)); err == nil {
				t.Errorf("byte %d of %x can be changed", i, part)
			}
			part[i] ^= 1
		}
	}
	usage, _, err := state.KeyUsages.Peek(f.node.View(), account, region, id)
	if err != nil || usage == nil || usage.Operation != "Decrypt" {
		t.Errorf("last use: %+v, %v", usage, err)
	}
	signed := func(path, body string) (int, string) {
		h := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		return post(t, h, server.URL+path, body)
	}
	good := `{"requestMetadata":{"awsPrincipalArn":"a","kmsKeyArn":"k","kmsOperation":"Encrypt","kmsRequestId":"r"},"plaintext":"eA==","encryptionAlgorithm":"AES_GCM"}`
	for _, test := range []struct {
		path, body string
		status     int
		name       string
	}{
		{proxyPath + "/keys/" + id + "/encrypt", good, 200, ""},
		{proxyPath + "/keys/" + id + "/encrypt", strings.Replace(good, "AES_GCM", "AES_CBC", 1), 400, "ValidationException"},
		{proxyPath + "/keys/" + id + "/encrypt", strings.Replace(good, `"eA=="`, `""`, 1), 400, "ValidationException"},
		{proxyPath + "/keys/" + id + "/encrypt", strings.Replace(good, `"eA=="`, `"e"`, 1), 400, "ValidationException"},
		{proxyPath + "/keys/" + id + "/encrypt", `{`, 400, "ValidationException"},
		{proxyPath + "/keys/" + id + "/encrypt", strings.Repeat(" ", 70<<10), 400, "ValidationException"},
		{proxyPath + "/keys/" + absent + "/encrypt", good, 404, "KeyNotFoundException"},
		{proxyPath + "/keys/" + id + "/sign", good, 404, "InvalidUriPathException"},
		{proxyPath + "/keys/" + id, good, 404, "InvalidUriPathException"},
		{proxyPath + "/keys/a%20b/encrypt", good, 404, "InvalidUriPathException"},
		{"/other/kms/xks/v1/health", good, 404, "InvalidUriPathException"},
		{proxyPath + "/health", `{}`, 400, "ValidationException"},
		{proxyPath + "/keys/" + id + "/metadata", `{"requestMetadata":{"awsPrincipalArn":"a","kmsOperation":"CreateKey","kmsRequestId":"r"}}`, 200, ""},
	} {
		status, text := signed(test.path, test.body)
		var e xks.ErrorResponse
		_ = json.Unmarshal([]byte(text), &e)
		if status != test.status || e.Name != test.name {
			t.Errorf("%s %.80s: %d %s", test.path, test.body, status, text)
		}
	}
	response, err := server.Client().Get(server.URL + proxyPath + "/health")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.StatusCode)
	}
	store.SecretID, store.Secret = "3", func(context.Context) ([]byte, error) { return []byte("wrong"), nil }
	_, err = client.Health(t.Context(), store, about)
	if err == nil || !strings.Contains(err.Error(), "AuthenticationFailedException") {
		t.Errorf("a wrong secret: %v", err)
	}
	f.write(func(tx *fsm.Txn) error {
		state.Users.Delete(tx, account, "aws-kms")
		return nil
	})
	if status, text := signed(proxyPath+"/keys/"+id+"/encrypt", good); status != 403 || !strings.Contains(text, "AccessDenied") {
		t.Errorf("without its user: %d %s", status, text)
	}
}

// post signs a request and answers what comes back.
func post(t *testing.T, h *http.Client, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	claim := sigv4.NewClaim(xkstest.AccessKeyID, region, xks.Service, time.Now())
	if err := claim.Sign(r, sum, sigv4.Derive([]byte(xkstest.SecretAccessKey), claim)); err != nil {
		t.Fatal(err)
	}
	response, err := h.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
