package kms_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
	"github.com/cofre-kms/cofre/server/xks/xkstest"
)

// endpointService is the VPC endpoint service that the fixtures with a proxy know.
const endpointService = "com.amazonaws.vpce.eu-central-1.vpce-svc-1"

// proxied is a fixture whose service may call a proxy, under its public endpoint and
// as a VPC endpoint service.
func proxied(t testing.TB) (*fixture, *xkstest.Proxy) {
	p := xkstest.New(t, region)
	private := p.Route()
	private.VPCService = endpointService
	f := newFixture(t)
	f.proxies = xks.New(xks.Config{Routes: []xks.Route{p.Route(), private}, Timeout: time.Minute})
	f.use(f.hsm)
	return f, p
}

// storeRequest is a valid CreateCustomKeyStore, with changes.
func storeRequest(p *xkstest.Proxy, changes m) m {
	request := m{
		"CustomKeyStoreName": "store", "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT",
		"XksProxyUriEndpoint": p.Endpoint(), "XksProxyUriPath": xkstest.Path,
		"XksProxyAuthenticationCredential": m{"AccessKeyId": xkstest.AccessKeyID, "RawSecretAccessKey": xkstest.SecretAccessKey},
	}
	for name, value := range changes {
		request[name] = value
		if value == nil {
			delete(request, name)
		}
	}
	return request
}

// store makes a custom key store that is connected, and answers its id.
func (f *fixture) store(p *xkstest.Proxy) string {
	f.Helper()
	id := f.do("CreateCustomKeyStore", storeRequest(p, nil)).text("CustomKeyStoreId")
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": id})
	return id
}

// external makes a key in a store, of a new external key.
func (f *fixture) externalKey(p *xkstest.Proxy, store, external string) (id, arn string) {
	f.Helper()
	p.AddKey(external)
	return f.create(m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external})
}

// describedStore answers the one entry of DescribeCustomKeyStores of a store.
func (f *fixture) describedStore(store string) answer {
	f.Helper()
	list := f.do("DescribeCustomKeyStores", m{"CustomKeyStoreId": store}).list("CustomKeyStores")
	if len(list) != 1 {
		f.Fatalf("%d stores", len(list))
	}
	return list[0].(m)
}

func TestCustomKeyStore(t *testing.T) {
	f, p := proxied(t)
	id := f.do("CreateCustomKeyStore", storeRequest(p, nil)).text("CustomKeyStoreId")
	if got := f.recorded(requestParameters); got != `{"customKeyStoreName":"store","customKeyStoreType":"EXTERNAL_KEY_STORE",`+
		`"xksProxyConnectivity":"PUBLIC_ENDPOINT","xksProxyUriEndpoint":"https://xks.example.com","xksProxyUriPath":"/tests/one/kms/xks/v1"}` {
		t.Errorf("parameters: %s", got)
	}
	if got := f.recorded(responseElements); got != `{"customKeyStoreId":"`+id+`"}` {
		t.Errorf("elements: %s", got)
	}
	if !strings.HasPrefix(id, "cks-") || len(id) != 21 {
		t.Errorf("id %s", id)
	}
	store := f.describedStore(id)
	configuration := answer(store.object("XksProxyConfiguration"))
	if store.text("ConnectionState") != "DISCONNECTED" || store.text("CustomKeyStoreName") != "store" ||
		store.text("CustomKeyStoreType") != "EXTERNAL_KEY_STORE" || store["CreationDate"] == nil || len(store) != 6 {
		t.Errorf("store: %v", store)
	}
	if configuration.text("AccessKeyId") != xkstest.AccessKeyID || configuration.text("Connectivity") != "PUBLIC_ENDPOINT" ||
		configuration.text("UriEndpoint") != p.Endpoint() || configuration.text("UriPath") != xkstest.Path || len(configuration) != 4 {
		t.Errorf("configuration: %v", configuration)
	}
	f.refuse("DisconnectCustomKeyStore", m{"CustomKeyStoreId": id}, "CustomKeyStoreInvalidStateException: The custom key store "+id+
		" has the connection state DISCONNECTED, which is not valid for this operation.")
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": id})
	if got := f.recorded(additional); got != `{"connectionState":"CONNECTED","customKeyStoreName":"store"}` {
		t.Errorf("additional data: %s", got)
	}
	if got := f.describedStore(id).text("ConnectionState"); got != "CONNECTED" {
		t.Error(got)
	}
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": id}) // again
	f.refuseStart("DeleteCustomKeyStore", m{"CustomKeyStoreId": id}, "CustomKeyStoreInvalidStateException: ")
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": id})
	f.do("DeleteCustomKeyStore", m{"CustomKeyStoreId": id})
	for _, operation := range []string{"ConnectCustomKeyStore", "DisconnectCustomKeyStore", "DeleteCustomKeyStore", "UpdateCustomKeyStore", "DescribeCustomKeyStores"} {
		f.refuse(operation, m{"CustomKeyStoreId": id, "NewCustomKeyStoreName": "x"}, "CustomKeyStoreNotFoundException: The custom key store "+id+" does not exist.")
	}
	var operations []string
	for _, r := range p.Seen() {
		operations = append(operations, r.Metadata.KMSOperation)
	}
	if got := fmt.Sprint(operations); got != "[CreateCustomKeyStore ConnectCustomKeyStore ConnectCustomKeyStore]" {
		t.Error(got)
	}
}

// TestKeyStoreRequests tries what is wrong with a request in itself.
func TestKeyStoreRequests(t *testing.T) {
	f, p := proxied(t)
	for want, changes := range map[string]m{
		"You must specify XksProxyConnectivity when CustomKeyStoreType is EXTERNAL_KEY_STORE.":               {"XksProxyConnectivity": nil},
		"You must specify XksProxyAuthenticationCredential when CustomKeyStoreType is EXTERNAL_KEY_STORE.":   {"XksProxyAuthenticationCredential": nil},
		"You must specify XksProxyUriEndpoint when CustomKeyStoreType is EXTERNAL_KEY_STORE.":                {"XksProxyUriEndpoint": nil},
		"You must specify XksProxyUriPath when CustomKeyStoreType is EXTERNAL_KEY_STORE.":                    {"XksProxyUriPath": nil},
		"XksProxyUriPath must end with /kms/xks/v1.":                                                         {"XksProxyUriPath": "/kms/xks/v2"},
		"XksProxy parameters are valid only with a CustomKeyStoreType of EXTERNAL_KEY_STORE.":                {"CustomKeyStoreType": nil},
		"XksProxyVpcEndpointServiceName is valid only with an XksProxyConnectivity of VPC_ENDPOINT_SERVICE.": {"XksProxyVpcEndpointServiceName": endpointService},
		"You must specify XksProxyVpcEndpointServiceName when XksProxyConnectivity is VPC_ENDPOINT_SERVICE.": {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
		"The name of a custom key store cannot begin or end with a space.":                                   {"CustomKeyStoreName": " x"},
		"CloudHsmClusterId, KeyStorePassword and TrustAnchorCertificate are valid only with a CustomKeyStoreType of AWS_CLOUDHSM.": {
			"KeyStorePassword": "1234567"},
	} {
		f.refuse("CreateCustomKeyStore", storeRequest(p, changes), "ValidationException: "+want)
	}
	f.refuse("CreateCustomKeyStore", m{"CustomKeyStoreName": "x"}, "ValidationException: You must specify CloudHsmClusterId when CustomKeyStoreType is AWS_CLOUDHSM.")
	f.refuse("CreateCustomKeyStore", storeRequest(p, m{"XksProxyAuthenticationCredential": m{"AccessKeyId": "lower", "RawSecretAccessKey": "short_"}}),
		"ValidationException: 4 validation errors detected: "+
			"Value at 'xksProxyAuthenticationCredential.accessKeyId' failed to satisfy constraint: Member must have length greater than or equal to 20; "+
			"Value at 'xksProxyAuthenticationCredential.accessKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Z2-7]+$; "+
			"Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey' failed to satisfy constraint: Member must have length greater than or equal to 43; "+
			`Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9\/+=]+$`)
	if n := len(p.Seen()); n != 0 {
		t.Errorf("the proxy has seen %d requests", n)
	}
	f.refuse("DescribeCustomKeyStores", m{"CustomKeyStoreId": "a", "CustomKeyStoreName": "b"},
		"ValidationException: You can specify either CustomKeyStoreId or CustomKeyStoreName, but not both.")
	f.refuse("DescribeCustomKeyStores", m{"CustomKeyStoreName": "b"}, "CustomKeyStoreNotFoundException: The custom key store b does not exist.")
	f.refuseStart("DescribeCustomKeyStores", m{"Marker": "x"}, "InvalidMarkerException")
}

// TestKeyStoresAreTheirOwn: what has to be unique among the stores of an account and
// Region, how many there can be, and that each sees its own.
func TestKeyStoresAreTheirOwn(t *testing.T) {
	f, p := proxied(t)
	private := m{"CustomKeyStoreName": "private", "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE", "XksProxyVpcEndpointServiceName": endpointService}
	first := f.do("CreateCustomKeyStore", storeRequest(p, private)).text("CustomKeyStoreId")
	if n := len(p.Seen()); n != 0 {
		t.Errorf("a VPC endpoint service was called %d times", n)
	}
	if got := answer(f.describedStore(first).object("XksProxyConfiguration")); got.text("VpcEndpointServiceName") != endpointService || got.text("VpcEndpointServiceOwner") != account {
		t.Errorf("configuration: %v", got)
	}
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, private), "CustomKeyStoreNameInUseException")
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, nil), "XksProxyUriInUseException")
	other := m{"XksProxyUriPath": "/other/kms/xks/v1"}
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, other), "XksProxyUriEndpointInUseException")
	other["XksProxyConnectivity"], other["XksProxyVpcEndpointServiceName"] = "VPC_ENDPOINT_SERVICE", endpointService
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, other), "XksProxyUriEndpointInUseException")
	other["XksProxyUriEndpoint"] = "https://elsewhere.example.com"
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, other), "XksProxyVpcEndpointServiceInUseException")
	f.do("DeleteCustomKeyStore", m{"CustomKeyStoreId": first})
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, other), "XksProxyVpcEndpointServiceInvalidConfigurationException")
	other["XksProxyVpcEndpointServiceName"] = endpointService + "2"
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, other), "XksProxyVpcEndpointServiceNotFoundException")
	f.refuseStart("CreateCustomKeyStore", storeRequest(p, m{"XksProxyUriEndpoint": "https://elsewhere.example.com"}),
		"XksProxyInvalidConfigurationException: This service is not configured to call the external key store proxy.")

	var ids []string
	p.Fail(func(string) *xkstest.Failure { return &xkstest.Failure{Status: 200, Body: healthy} })
	for i := range 10 {
		request := storeRequest(p, m{"CustomKeyStoreName": fmt.Sprint("store-", i), "XksProxyConnectivity": "PUBLIC_ENDPOINT"})
		if i > 0 { // the proxy of the tests has one path: the others are written as they are
			f.write(func(tx *fsm.Txn) error {
				s := &state.CustomKeyStore{AccountID: account, Region: region, ID: fmt.Sprintf("cks-%017d", i), Name: fmt.Sprint("store-", i), Type: state.ExternalKeyStore}
				ids = append(ids, s.ID)
				return state.CustomKeyStores.Put(tx, s, account, region, s.ID)
			})
			continue
		}
		ids = append(ids, f.do("CreateCustomKeyStore", request).text("CustomKeyStoreId"))
	}
	f.refuse("CreateCustomKeyStore", storeRequest(p, m{"CustomKeyStoreName": "eleventh"}),
		"LimitExceededException: An account cannot have more than 10 custom key stores in a Region.")
	slices.Sort(ids)
	var listed []string
	for marker, more := "", true; more; {
		request := m{"Limit": 3}
		if marker != "" {
			request["Marker"] = marker
		}
		page := f.do("DescribeCustomKeyStores", request)
		for _, s := range page.list("CustomKeyStores") {
			listed = append(listed, answer(s.(m)).text("CustomKeyStoreId"))
		}
		marker, more = page.text("NextMarker"), page["Truncated"].(bool)
	}
	if !slices.Equal(ids, listed) {
		t.Errorf("listed %v, want %v", listed, ids)
	}
	f.region = "us-east-1"
	if got := f.do("DescribeCustomKeyStores", m{}).list("CustomKeyStores"); len(got) != 0 {
		t.Errorf("another Region has %v", got)
	}
}

const healthy = `{"xksProxyFleetSize":1,"xksProxyVendor":"v","xksProxyModel":"m","ekmVendor":"v","ekmFleetDetails":[{"id":"i","model":"m","healthStatus":"DEGRADED"}]}`

// TestExternalKey uses a key through the proxy.
func TestExternalKey(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	id, arn := f.externalKey(p, store, "ext.1-a_b")
	if got := f.recorded(additional); got != `{"customKeyStoreId":"`+store+`","xksKeyId":"ext.1-a_b"}` {
		t.Errorf("additional data: %s", got)
	}
	metadata := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
	if metadata.text("Origin") != "EXTERNAL_KEY_STORE" || metadata.text("CustomKeyStoreId") != store || metadata.text("KeyState") != "Enabled" ||
		answer(metadata.object("XksKeyConfiguration")).text("Id") != "ext.1-a_b" || metadata["CurrentKeyMaterialId"] != nil {
		t.Errorf("metadata: %v", metadata)
	}
	plaintext, context := bytes.Repeat([]byte("planted"), 4096/7), m{"a": "b"}
	sealed := f.encrypt(id, string(plaintext), context)
	opened := f.do("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": context})
	if !bytes.Equal(opened.bytes("Plaintext"), plaintext) || opened.text("KeyId") != arn || opened["KeyMaterialId"] != nil {
		t.Errorf("Decrypt: %v", opened)
	}
	if got := f.recorded(additional); got != `{"customKeyStoreId":"`+store+`","xksKeyId":"ext.1-a_b"}` {
		t.Errorf("additional data: %s", got)
	}
	seen := p.Seen()
	for i, operation := range []string{"Decrypt", "Encrypt"} {
		last := seen[len(seen)-1-i]
		if last.Metadata.KMSOperation != operation || last.Metadata.KMSKeyARN != arn || last.Metadata.AWSPrincipalARN != admin(account).ARN ||
			bytes.Contains(last.Text, []byte("planted")) || len(last.AAD) == 0 {
			t.Errorf("the proxy has seen %+v", last)
		}
	}
	large := m{"a": strings.Repeat("x", 8000), "b": strings.Repeat("y", 180)} // more than a proxy has to take
	f.do("Decrypt", m{"CiphertextBlob": f.encrypt(id, "x", large), "EncryptionContext": large})

	dataKey := f.do("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256"})
	if got := f.do("Decrypt", m{"CiphertextBlob": dataKey["CiphertextBlob"]}); got.text("Plaintext") != dataKey.text("Plaintext") {
		t.Error("the data key is another")
	}
	f.do("Decrypt", m{"CiphertextBlob": f.do("GenerateDataKeyWithoutPlaintext", m{"KeyId": id, "NumberOfBytes": 5})["CiphertextBlob"]})
	other, _ := f.create(m{})
	out := f.do("ReEncrypt", m{"CiphertextBlob": sealed, "SourceEncryptionContext": context, "DestinationKeyId": other})
	in := f.do("ReEncrypt", m{"CiphertextBlob": out["CiphertextBlob"], "DestinationKeyId": id})
	if got := f.do("Decrypt", m{"CiphertextBlob": in["CiphertextBlob"]}); !bytes.Equal(got.bytes("Plaintext"), plaintext) {
		t.Error("ReEncrypt changed the plaintext")
	}
	f.refuse("GenerateDataKeyPair", m{"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"},
		"UnsupportedOperationException: "+arn+" origin is EXTERNAL_KEY_STORE which is not valid for this operation.")
	f.refuseStart("EnableKeyRotation", m{"KeyId": id}, "UnsupportedOperationException")
	f.refuseStart("RotateKeyOnDemand", m{"KeyId": id}, "UnsupportedOperationException")
	f.refuseStart("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}, "UnsupportedOperationException")
	f.refuse("GenerateRandom", m{"NumberOfBytes": 1, "CustomKeyStoreId": store},
		"UnsupportedOperationException: The custom key store "+store+" is an external key store, which generates no random bytes.")
	for _, r := range f.node.RawEvents(t) {
		if strings.Contains(r, xkstest.SecretAccessKey) || strings.Contains(r, "planted-detail") {
			t.Errorf("a secret is in %s", r)
		}
	}
}

// TestNeitherSideAlone: without the external key a ciphertext does not open, nor with
// it alone, and nothing of it can be changed.
func TestNeitherSideAlone(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	p.SetMetadata(nil)
	id, _ := f.externalKey(p, store, "one")
	other, _ := f.externalKey(p, store, "two")
	sealed := f.do("Encrypt", m{"KeyId": id, "Plaintext": []byte("x"), "EncryptionContext": m{"a": "b"}}).bytes("CiphertextBlob")
	f.refuse("Decrypt", m{"CiphertextBlob": sealed}, "KMSInvalidStateException: The external key store proxy rejected the request because the "+
		"specified ciphertext or encryption context is corrupted, missing, or otherwise invalid.")
	f.refuseStart("Decrypt", m{"CiphertextBlob": sealed, "KeyId": other, "EncryptionContext": m{"a": "b"}}, "IncorrectKeyException")
	for at := range sealed {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		if _, err := f.try("Decrypt", encode(f, m{"CiphertextBlob": changed, "EncryptionContext": m{"a": "b"}})); err == nil {
			t.Errorf("byte %d can be changed", at)
		}
	}
	plain, _ := f.create(m{})
	swapped := f.do("Encrypt", m{"KeyId": plain, "Plaintext": make([]byte, 100)}).bytes("CiphertextBlob")
	swapped[1] |= 2 // says that it is an envelope
	f.refuse("Decrypt", m{"CiphertextBlob": swapped}, "InvalidCiphertextException")

	// A proxy that answers something of the right length, but not what was sealed.
	inner := len(p.Seen()[len(p.Seen())-1].Text)
	p.FailAll(&xkstest.Failure{Status: 200, Body: `{"plaintext":"` + base64.StdEncoding.EncodeToString(make([]byte, inner)) + `"}`})
	f.refuse("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": m{"a": "b"}}, "KMSInvalidStateException: The ciphertext that the "+
		"external key store proxy submitted for decryption, or the encryption context, is corrupted, missing, or otherwise invalid.")
}

// TestKeysOfADisconnectedStore: they are unavailable, at once, and get their own
// states back.
func TestKeysOfADisconnectedStore(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	enabled, arn := f.externalKey(p, store, "one")
	disabled, _ := f.externalKey(p, store, "two")
	leaving, _ := f.externalKey(p, store, "three")
	f.do("DisableKey", m{"KeyId": disabled})
	f.do("ScheduleKeyDeletion", m{"KeyId": leaving, "PendingWindowInDays": 7})
	sealed := f.encrypt(enabled, "x", nil)
	states := func() string {
		var list []string
		for _, id := range []string{enabled, disabled, leaving} {
			metadata := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
			list = append(list, fmt.Sprint(metadata.text("KeyState"), metadata["Enabled"]))
		}
		return strings.Join(list, " ")
	}
	if got := states(); got != "Enabledtrue Disabledfalse PendingDeletionfalse" {
		t.Error(got)
	}
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := states(); got != "Unavailablefalse Unavailablefalse PendingDeletionfalse" {
		t.Error(got)
	}
	const gone = "KMSInvalidStateException: This KMS key is in a custom key store that is not connected to its external key store proxy. " +
		"Connect the external key store and try the request again."
	requests := len(p.Seen())
	f.refuse("Decrypt", m{"CiphertextBlob": sealed}, gone)
	f.refuse("Encrypt", m{"KeyId": disabled, "Plaintext": []byte("x")}, gone)
	f.refuse("GenerateDataKey", m{"KeyId": enabled, "KeySpec": "AES_256", "DryRun": true}, gone)
	f.refuse("Encrypt", m{"KeyId": leaving, "Plaintext": []byte("x")}, "KMSInvalidStateException: "+keyARN(leaving)+" is pending deletion.")
	f.refuse("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "four"},
		"CustomKeyStoreInvalidStateException"+strings.TrimPrefix(gone, "KMSInvalidStateException"))
	if n := len(p.Seen()); n != requests {
		t.Errorf("the proxy was called %d times", n-requests)
	}
	f.do("EnableKey", m{"KeyId": disabled})
	f.do("DisableKey", m{"KeyId": enabled})
	f.do("UpdateKeyDescription", m{"KeyId": enabled, "Description": "d"})
	f.refuse("DeleteCustomKeyStore", m{"CustomKeyStoreId": store}, "CustomKeyStoreHasCMKsException: The custom key store "+store+" contains 3 KMS keys.")
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := states(); got != "Disabledfalse Enabledtrue PendingDeletionfalse" {
		t.Error(got)
	}
	f.refuse("Decrypt", m{"CiphertextBlob": sealed}, "DisabledException: "+arn+" is disabled.")
}

// TestDeletionLeavesTheStore: the external key is free again, and the store can go.
func TestDeletionLeavesTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.write(func(tx *fsm.Txn) error {
			s := &state.CustomKeyStore{AccountID: account, Region: region, ID: "cks-1", Type: state.ExternalKeyStore, Connection: state.Disconnected}
			k := &state.Key{AccountID: account, Region: region, ID: absent, State: state.Enabled, Origin: state.ExternalKeyStore, KeyStoreID: s.ID, XksKeyID: "x",
				Usage: "ENCRYPT_DECRYPT", Spec: "SYMMETRIC_DEFAULT"}
			if err := state.KeyStoreCounts.Put(tx, &state.Count{N: 1}, account, region, s.ID); err != nil {
				return err
			}
			if err := state.ExternalKeys.Put(tx, &state.ExternalKey{KeyID: k.ID}, account, region, s.ID, "x"); err != nil {
				return err
			}
			if err := state.CustomKeyStores.Put(tx, s, account, region, s.ID); err != nil {
				return err
			}
			return state.Keys.Put(tx, k, account, region, k.ID)
		})
		f.do("ScheduleKeyDeletion", m{"KeyId": absent, "PendingWindowInDays": 7})
		f.refuseStart("DeleteCustomKeyStore", m{"CustomKeyStoreId": "cks-1"}, "CustomKeyStoreHasCMKsException")
		stop := f.steward(8 * 24 * time.Hour)
		time.Sleep(5 * time.Second)
		stop()
		f.do("DeleteCustomKeyStore", m{"CustomKeyStoreId": "cks-1"})
		if k, _, err := state.ExternalKeys.Peek(f.node.View(), account, region, "cks-1", "x"); err != nil || k != nil {
			t.Errorf("the external key is still %v's, %v", k, err)
		}
	})
}

// TestProxyFailures has a proxy fail in every way, and holds what clients see against
// the specification's table: of keys, of stores, and of connections.
func TestProxyFailures(t *testing.T) {
	const storeState, keyState = "CustomKeyStoreInvalidStateException", "KMSInvalidStateException"
	f, p := proxied(t)
	store := f.store(p)
	id, _ := f.externalKey(p, store, "one")
	p.AddKey("two")
	sealed := f.encrypt(id, "x", nil)
	for name, want := range map[string]struct{ manage, create, connect, message string }{
		"ValidationException":           {"XksProxyInvalidResponseException", storeState, "XKS_PROXY_INVALID_RESPONSE", "AWS KMS cannot interpret the response"},
		"InvalidStateException":         {"XksProxyInvalidConfigurationException", "XksKeyInvalidConfigurationException", "XKS_PROXY_INVALID_CONFIGURATION", "The external key associated with this KMS key in an external key store is not enabled"},
		"InvalidCiphertextException":    {"XksProxyInvalidResponseException", storeState, "XKS_PROXY_INVALID_RESPONSE", "The external key store proxy rejected the request because the specified ciphertext"},
		"InvalidKeyUsageException":      {"XksProxyInvalidResponseException", "XksKeyInvalidConfigurationException", "XKS_PROXY_INVALID_RESPONSE", "The external key associated with this KMS key in an external key store does not support"},
		"AuthenticationFailedException": {"XksProxyIncorrectAuthenticationCredentialException", storeState, "INVALID_CREDENTIALS", "The external key store proxy rejected the request because it could not authenticate"},
		"AccessDeniedException":         {"XksProxyInvalidConfigurationException", keyState, "XKS_PROXY_ACCESS_DENIED", "The external key store proxy denied access"},
		"KeyNotFoundException":          {"XksProxyInvalidResponseException", "XksKeyNotFoundException", "XKS_PROXY_INVALID_RESPONSE", "The external key associated with this KMS key in an external key store was not found"},
		"InvalidUriPathException":       {"XksProxyInvalidConfigurationException", storeState, "XKS_PROXY_INVALID_CONFIGURATION", "The external key store proxy rejected the request because of an invalid URI path"},
		"ThrottlingException":           {"XksProxyUriUnreachableException", storeState, "XKS_PROXY_NOT_REACHABLE", "The external key store proxy rejected the request due to a very high request rate"},
		"UnsupportedOperationException": {"XksProxyInvalidResponseException", "XksKeyInvalidConfigurationException", "XKS_PROXY_INVALID_RESPONSE", "The external key store proxy rejected the request because it does not support"},
		"DependencyTimeoutException":    {"XksProxyUriUnreachableException", storeState, "XKS_PROXY_TIMED_OUT", "The external key store proxy did not respond to the request in the time allotted"},
		"InternalException":             {"XksProxyInvalidResponseException", storeState, "XKS_PROXY_INVALID_RESPONSE", "The external key store proxy rejected the request because it cannot communicate"},
	} {
		p.FailAll(xkstest.Refuse(400, name))
		f.refuseStart("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, keyState+": "+want.message)
		f.refuseStart("Decrypt", m{"CiphertextBlob": sealed}, keyState+": "+want.message)
		f.refuseStart("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "two"}, want.create+": "+want.message)
		f.refuseStart("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "XksProxyAuthenticationCredential": m{
			"AccessKeyId": xkstest.AccessKeyID, "RawSecretAccessKey": xkstest.SecretAccessKey}}, want.manage+": "+want.message)
		f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
		if got := f.describedStore(store); got.text("ConnectionState") != "FAILED" || got.text("ConnectionErrorCode") != want.connect {
			t.Errorf("%s: %v", name, got)
		}
		f.refuseStart("ConnectCustomKeyStore", m{"CustomKeyStoreId": store}, storeState)
		f.refuseStart("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "NewCustomKeyStoreName": "x"}, storeState)
		p.Fail(nil)
		f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
		f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	}
	p.SetHealth(xks.Unavailable, xks.Unavailable)
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := f.describedStore(store).text("ConnectionErrorCode"); got != "XKS_PROXY_NOT_REACHABLE" {
		t.Error(got)
	}
	p.SetHealth(xks.Unavailable, xks.Degraded)
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := f.describedStore(store).text("ConnectionState"); got != "CONNECTED" {
		t.Error(got)
	}
}

// TestExternalKeysThatWillNotDo: CreateKey wants an enabled AES-256 key that both
// encrypts and decrypts, that no other KMS key of the store has.
func TestExternalKeysThatWillNotDo(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	create := func(changes m) m {
		request := m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "one"}
		for name, value := range changes {
			request[name] = value
		}
		return request
	}
	const unfit = "XksKeyInvalidConfigurationException: The external key must be an enabled AES-256 symmetric key that performs encryption and decryption."
	f.refuseStart("CreateKey", create(nil), "XksKeyNotFoundException: The external key associated")
	k := p.AddKey("one")
	good := k.KeyMetadata
	for _, bad := range []xks.KeyMetadata{
		{KeySpec: "AES_128", KeyUsage: good.KeyUsage, KeyStatus: good.KeyStatus},
		{KeySpec: good.KeySpec, KeyUsage: []string{"ENCRYPT"}, KeyStatus: good.KeyStatus},
		{KeySpec: good.KeySpec, KeyUsage: good.KeyUsage, KeyStatus: "DISABLED"},
	} {
		p.Change(func() { k.KeyMetadata = bad })
		f.refuse("CreateKey", create(nil), unfit)
	}
	p.Change(func() { k.KeyMetadata = good })
	f.refuse("CreateKey", create(m{"MultiRegion": true}), "UnsupportedOperationException: Multi-Region keys cannot be created in a custom key store.")
	f.refuse("CreateKey", create(m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
		"UnsupportedOperationException: Keys of the key spec HMAC_256 cannot be created in a custom key store.")
	f.refuse("CreateKey", m{"CustomKeyStoreId": store}, "ValidationException: CustomKeyStoreId is valid only with an Origin of AWS_CLOUDHSM or EXTERNAL_KEY_STORE.")
	f.refuse("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "one"}, "ValidationException: You must specify CustomKeyStoreId when Origin is EXTERNAL_KEY_STORE.")
	f.refuse("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store}, "ValidationException: You must specify XksKeyId when Origin is EXTERNAL_KEY_STORE.")
	f.refuse("CreateKey", m{"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store},
		"ValidationException: Keys with an Origin of AWS_CLOUDHSM cannot be created in a custom key store of the type EXTERNAL_KEY_STORE.")
	f.create(create(nil))
	f.refuse("CreateKey", create(nil), "XksKeyAlreadyInUseException: The external key one is already associated with another KMS key in this external key store.")
}

// TestUpdateCustomKeyStore changes what can be changed, when it can.
func TestUpdateCustomKeyStore(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	id, _ := f.externalKey(p, store, "one")
	sealed := f.encrypt(id, "x", nil)
	update := func(changes m) m {
		changes["CustomKeyStoreId"] = store
		return changes
	}
	f.refuse("UpdateCustomKeyStore", update(m{}), "ValidationException: You must specify at least one property of the custom key store to update.")
	f.refuse("UpdateCustomKeyStore", update(m{"KeyStorePassword": "1234567"}),
		"ValidationException: CloudHsmClusterId and KeyStorePassword are valid only with a CustomKeyStoreType of AWS_CLOUDHSM.")
	f.refuse("UpdateCustomKeyStore", update(m{"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}),
		"ValidationException: You must specify XksProxyUriEndpoint when you change XksProxyConnectivity.")
	f.do("UpdateCustomKeyStore", update(m{"NewCustomKeyStoreName": "renamed"}))
	if got := f.describedStore(store).text("CustomKeyStoreName"); got != "renamed" {
		t.Error(got)
	}
	// The credential is rotated while the store is connected, as the specification has it.
	const accessKey, secret = "NEWNEWNEWNEWNEWNEWNEW234", "planted+new+proxy+secret/0123456789abcdefghij"
	credential := m{"XksProxyAuthenticationCredential": m{"AccessKeyId": accessKey, "RawSecretAccessKey": secret}}
	f.refuseStart("UpdateCustomKeyStore", update(credential), "XksProxyIncorrectAuthenticationCredentialException: ")
	p.SetCredentials(map[string]string{accessKey: secret, xkstest.AccessKeyID: xkstest.SecretAccessKey})
	f.do("UpdateCustomKeyStore", update(credential))
	p.SetCredentials(map[string]string{accessKey: secret})
	f.do("Decrypt", m{"CiphertextBlob": sealed})
	f.refuseStart("UpdateCustomKeyStore", update(m{"XksProxyUriPath": "/wrong/kms/xks/v1"}), "XksProxyInvalidConfigurationException: The external key store proxy rejected")
	for _, changes := range []m{
		{"XksProxyUriEndpoint": p.Endpoint()},
		{"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE", "XksProxyUriEndpoint": p.Endpoint(), "XksProxyVpcEndpointServiceName": endpointService},
	} {
		f.refuseStart("UpdateCustomKeyStore", update(changes), "CustomKeyStoreInvalidStateException: ")
	}
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("UpdateCustomKeyStore", update(m{"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE", "XksProxyUriEndpoint": p.Endpoint(),
		"XksProxyVpcEndpointServiceName": endpointService, "XksProxyVpcEndpointServiceOwner": foreign}))
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := answer(f.describedStore(store).object("XksProxyConfiguration")); got.text("Connectivity") != "VPC_ENDPOINT_SERVICE" || got.text("VpcEndpointServiceOwner") != foreign {
		t.Errorf("configuration: %v", got)
	}
	f.do("Decrypt", m{"CiphertextBlob": sealed})
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("UpdateCustomKeyStore", update(m{"XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": p.Endpoint()}))
	if got := answer(f.describedStore(store).object("XksProxyConfiguration")); got["VpcEndpointServiceName"] != nil || got["VpcEndpointServiceOwner"] != nil {
		t.Errorf("configuration: %v", got)
	}
	for _, r := range f.node.RawEvents(t) {
		if strings.Contains(r, "planted") || strings.Contains(r, accessKey) {
			t.Errorf("a credential is in %s", r)
		}
	}
}

// TestKeyStorePermissions: nobody may, whose policies do not say so.
func TestKeyStorePermissions(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	before := len(p.Seen())
	f.as(f.user(account, "stranger"), func() {
		for operation, request := range map[string]m{
			"CreateCustomKeyStore": storeRequest(p, nil), "ConnectCustomKeyStore": {"CustomKeyStoreId": store}, "DisconnectCustomKeyStore": {"CustomKeyStoreId": store},
			"UpdateCustomKeyStore": {"CustomKeyStoreId": store, "NewCustomKeyStoreName": "x"}, "DeleteCustomKeyStore": {"CustomKeyStoreId": store},
			"DescribeCustomKeyStores": {},
		} {
			f.refuseStart(operation, request, "AccessDeniedException: ")
			if !strings.Contains(f.node.RawEvents(t)[len(f.node.RawEvents(t))-1], "kms:"+operation) {
				t.Errorf("%s: %s", operation, f.node.RawEvents(t)[len(f.node.RawEvents(t))-1])
			}
		}
	})
	if len(p.Seen()) != before {
		t.Error("the proxy was called for somebody who may not")
	}
}

// TestKeyStoreGuards commits a change between an operation and its commit, as
// TestGuards does.
func TestKeyStoreGuards(t *testing.T) {
	for _, test := range []struct {
		name, operation string
		request         func(f *fixture, store, id string) m
		change          string
		changed         func(f *fixture, store, id string) m
		commits         bool
	}{
		{"use of a key", "Encrypt", encryptInStore, "DisconnectCustomKeyStore", storeOnly, false},
		{"use of a key", "Decrypt", decryptInStore, "DisconnectCustomKeyStore", storeOnly, false},
		{"use of a key", "GenerateDataKey", dataKeyInStore, "DisconnectCustomKeyStore", storeOnly, false},
		{"use of a key", "Encrypt", encryptInStore, "UpdateCustomKeyStore", renaming, false},
		{"metadata", "DescribeKey", describeInStore, "DisconnectCustomKeyStore", storeOnly, false},
		{"new key", "CreateKey", createInStore, "DisconnectCustomKeyStore", storeOnly, false},
		{"the same external key", "CreateKey", createInStore, "CreateKey", createInStore, false},
		{"list of stores", "DescribeCustomKeyStores", everything, "DisconnectCustomKeyStore", storeOnly, false},
		{"list of stores", "DescribeCustomKeyStores", everything, "UpdateCustomKeyStore", renaming, false},
		{"the same name", "UpdateCustomKeyStore", renaming, "UpdateCustomKeyStore", renaming, false},
		{"two uses", "Encrypt", encryptInStore, "Decrypt", decryptInStore, true},
		{"use and new key", "Encrypt", encryptInStore, "CreateKey", createInStore, true},
		{"use and reader", "Encrypt", encryptInStore, "DescribeCustomKeyStores", everything, true},
	} {
		t.Run(test.operation+" and "+test.change+": "+test.name, func(t *testing.T) {
			f, p := proxied(t)
			store := f.store(p)
			id, _ := f.externalKey(p, store, "one")
			p.AddKey("two")
			commits := f.begin(test.operation, test.request(f, store, id))
			f.do(test.change, test.changed(f, store, id))
			if got := commits(); got != test.commits {
				t.Errorf("commits: %v", got)
			}
		})
	}
}

// TestDeletionOfAStoreIsGuarded: a key that is made in the meantime keeps the store,
// and a store that is deleted in the meantime gets no key.
func TestDeletionOfAStoreIsGuarded(t *testing.T) {
	f, p := proxied(t)
	store := f.store(p)
	p.AddKey("two")
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	deletion := f.begin("DeleteCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	creation := f.begin("CreateKey", createInStore(f, store, ""))
	if deletion() {
		t.Error("a store that is connected is deleted")
	}
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("DeleteCustomKeyStore", m{"CustomKeyStoreId": store})
	if creation() {
		t.Error("a key is made in a store that is deleted")
	}
}

func encryptInStore(_ *fixture, _, id string) m  { return m{"KeyId": id, "Plaintext": []byte("x")} }
func decryptInStore(f *fixture, _, id string) m  { return m{"CiphertextBlob": f.encrypt(id, "x", nil)} }
func dataKeyInStore(_ *fixture, _, id string) m  { return m{"KeyId": id, "KeySpec": "AES_128"} }
func describeInStore(_ *fixture, _, id string) m { return m{"KeyId": id} }
func storeOnly(_ *fixture, store, _ string) m    { return m{"CustomKeyStoreId": store} }
func everything(*fixture, string, string) m      { return m{} }
func renaming(_ *fixture, store, _ string) m {
	return m{"CustomKeyStoreId": store, "NewCustomKeyStoreName": "renamed"}
}
func createInStore(_ *fixture, store, _ string) m {
	return m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "two"}
}

// storeFor writes a store whose state suits an operation, and answers a request.
func (f *fixture) storeFor(operation string) m {
	f.Helper()
	s := &state.CustomKeyStore{AccountID: account, Region: region, ID: "cks-1", Name: "s", Type: state.ExternalKeyStore, Connection: state.Disconnected}
	if operation == "DisconnectCustomKeyStore" {
		s.Connection = state.Connected
	}
	f.write(func(tx *fsm.Txn) error { return state.CustomKeyStores.Put(tx, s, account, region, s.ID) })
	if operation == "UpdateCustomKeyStore" {
		return m{"CustomKeyStoreId": s.ID, "NewCustomKeyStoreName": "t"}
	}
	return m{"CustomKeyStoreId": s.ID}
}
