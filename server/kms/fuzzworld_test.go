package kms_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/xks"
	"github.com/cofre-kms/cofre/server/xks/xkstest"
)

// world is a whole server before a cluster of one, with keys of many kinds.
type world struct {
	testing.TB
	server *server.Server
	node   *servertest.Node
	who    *identity.Credentials
	seen   int64 // ledger records that were looked at
	logs   bytes.Buffer
	known  map[string][]any
	// examples are requests that have succeeded, by their operations, and answers
	// are what came back.
	examples map[string][]m
	answers  []answer
}

// sharedHSM makes each RSA key once: they are slow to make.
type sharedHSM struct {
	*servertest.HSM
	mu  sync.Mutex
	rsa map[hsm.KeySpec]hsm.WrappedKey
}

func (h *sharedHSM) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if !strings.HasPrefix(string(spec), "RSA_") {
		return h.HSM.GenerateKey(ctx, g, spec)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key, ok := h.rsa[spec]
	if ok {
		return key, nil
	}
	key, err := h.HSM.GenerateKey(ctx, g, spec)
	h.rsa[spec] = key
	return key, err
}

// parts are what worlds can share: they are slow to make.
type parts struct {
	hsm      *sharedHSM
	enclaves *attestationtest.Authority
	proxy    *xkstest.Proxy
}

func newParts(t testing.TB) *parts {
	t.Helper()
	p := &parts{
		&sharedHSM{HSM: servertest.NewHSM(t), rsa: make(map[hsm.KeySpec]hsm.WrappedKey)},
		attestationtest.New(t, attestationtest.Plan{}), xkstest.New(t, "us-east-1", "us-west-2"),
	}
	p.proxy.AddKey("external")
	return p
}

func newWorld(t testing.TB, p *parts) *world {
	t.Helper()
	w := &world{TB: t, node: servertest.New(t), known: make(map[string][]any), examples: make(map[string][]m)}
	verifier, err := attestation.NewVerifier(p.enclaves.PEM())
	if err != nil {
		t.Fatal(err)
	}
	identities := identity.New(identity.Config{HSM: p.hsm})
	service := kms.New(kms.Config{
		HSM: p.hsm, Generation: func() hsm.Generation { return 1 }, Attestation: verifier, Regions: []string{"us-east-1", "us-west-2"},
		Proxies: xks.New(xks.Config{Routes: []xks.Route{p.proxy.Route()}, Timeout: time.Minute}),
	})
	w.server, err = server.New(server.Config{
		Node: w.node, Identity: identities, Regions: []string{"us-east-1", "us-west-2"}, Deadline: time.Hour,
		Now: func() time.Time { return start }, Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &w.logs}),
		Services: []server.Service{{Name: "kms", Protocol: server.JSON("TrentService"), Operations: service.Operations()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.node.Transact(t.Context(), "", func(tx *fsm.Txn) (err error) {
		w.who, err = identities.Genesis(t.Context(), tx, 1, "operators")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.populate(p)
	return w
}

// ask sends a request that succeeds, and remembers it and what it answers.
func (w *world) ask(operation string, request m) answer {
	w.Helper()
	status, got := w.send("us-east-1", operation, encode(w, request))
	if status != 200 {
		w.Fatalf("%s %v: %v", operation, request, got)
	}
	(&choices{known: w.known}).learn(got)
	w.examples[operation] = append(w.examples[operation], request)
	w.answers = append(w.answers, answer(got))
	return answer(got)
}

// populate makes what requests can be about, and an example of most requests.
func (w *world) populate(p *parts) {
	create := func(request m) string {
		w.Helper()
		return w.ask("CreateKey", request).object("KeyMetadata").text("KeyId")
	}
	recipient := m{"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": p.enclaves.Sign(w, p.enclaves.Payload(w)).Encode(w)}
	w.useSymmetric(create(m{}), create(m{"MultiRegion": true}), recipient)
	w.usePrivate(create)
	w.useImport(create(m{"Origin": "EXTERNAL"}))
	w.manage(create(m{"Description": "d", "Tags": []m{{"TagKey": "k", "TagValue": "v"}}}))
	w.useStore(p.proxy)
	w.ask("DisableKey", m{"KeyId": create(m{})})
	w.ask("ScheduleKeyDeletion", m{"KeyId": create(m{}), "PendingWindowInDays": 7})
	w.known["KeyId"] = append(w.known["KeyId"], absent, "alias/known", "alias/aws/s3", "arn:aws:kms:us-east-1:"+foreign+":key/"+absent)
	w.known["Principal"] = []any{w.who.UserARN, w.who.AccountID, "arn:aws:iam::" + foreign + ":root", "*"}
	w.known["Message"] = []any{[]byte("x"), make([]byte, 32), make([]byte, 64)}
	w.known["AttestationDocument"] = []any{recipient["AttestationDocument"]}
	w.known["Region"] = []any{"us-west-2", "us-east-1", "eu-west-1"}
}

func (w *world) useSymmetric(id, multiRegion string, recipient m) {
	context := m{"a": "b"}
	sealed := w.ask("Encrypt", m{"KeyId": id, "Plaintext": planted, "EncryptionContext": context})["CiphertextBlob"]
	w.ask("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": context})
	w.ask("ReEncrypt", m{"CiphertextBlob": sealed, "SourceEncryptionContext": context, "DestinationKeyId": multiRegion})
	for _, operation := range []string{"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"} {
		w.ask(operation, m{"KeyId": id, "KeySpec": "AES_256"})
	}
	w.ask("GenerateDataKey", m{"KeyId": id, "NumberOfBytes": 32, "Recipient": recipient})
	for _, operation := range []string{"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"} {
		w.ask(operation, m{"KeyId": id, "KeyPairSpec": "ECC_NIST_EDWARDS25519"})
	}
	w.ask("GenerateRandom", m{"NumberOfBytes": 32})
	w.ask("EnableKeyRotation", m{"KeyId": multiRegion, "RotationPeriodInDays": 90})
	w.ask("GetKeyRotationStatus", m{"KeyId": multiRegion})
	w.ask("DisableKeyRotation", m{"KeyId": id})
	w.ask("RotateKeyOnDemand", m{"KeyId": id})
	w.ask("ListKeyRotations", m{"KeyId": id, "Limit": 1})
	w.ask("ReplicateKey", m{"KeyId": multiRegion, "ReplicaRegion": "us-west-2"})
	w.ask("UpdatePrimaryRegion", m{"KeyId": multiRegion, "PrimaryRegion": "us-west-2"})
}

func (w *world) usePrivate(create func(m) string) {
	message := planted
	for spec, algorithm := range map[string]string{
		"RSA_2048": "RSASSA_PSS_SHA_256", "ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_EDWARDS25519": "ED25519_SHA_512", "ML_DSA_44": "ML_DSA_SHAKE_256",
	} {
		request := m{"KeyId": create(m{"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"}), "Message": message, "SigningAlgorithm": algorithm}
		verify := maps.Clone(request)
		verify["Signature"] = w.ask("Sign", request)["Signature"]
		w.ask("Verify", verify)
	}
	for spec, algorithm := range map[string]string{"RSA_2048": "RSAES_OAEP_SHA_1", "SM2": "SM2PKE"} {
		request := m{"KeyId": create(m{"KeySpec": spec, "KeyUsage": "ENCRYPT_DECRYPT"}), "EncryptionAlgorithm": algorithm}
		decrypt := maps.Clone(request)
		request["Plaintext"] = message
		decrypt["CiphertextBlob"] = w.ask("Encrypt", request)["CiphertextBlob"]
		w.ask("Decrypt", decrypt)
	}
	request := m{"KeyId": create(m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}), "Message": message, "MacAlgorithm": "HMAC_SHA_256"}
	verify := maps.Clone(request)
	verify["Mac"] = w.ask("GenerateMac", request)["Mac"]
	w.ask("VerifyMac", verify)
	agreement := create(m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"})
	public := w.ask("GetPublicKey", m{"KeyId": agreement})["PublicKey"]
	w.ask("DeriveSharedSecret", m{"KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public})
	encapsulation := m{"KeyId": create(m{"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}), "EncapsulationAlgorithm": "ML_KEM"}
	decapsulation := maps.Clone(encapsulation)
	decapsulation["SharedSecretCiphertextBlob"] = w.ask("Encapsulate", encapsulation)["SharedSecretCiphertextBlob"]
	w.ask("Decapsulate", decapsulation)
}

func (w *world) useImport(id string) {
	got := w.ask("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "SM2"})
	wrapped := hsmtest.Wrap(w, got.bytes("PublicKey"), hsm.SM2, hsm.WrapSM2PKE, symmetricMaterial)
	other := hsmtest.Wrap(w, got.bytes("PublicKey"), hsm.SM2, hsm.WrapSM2PKE, symmetricMaterial[1:])
	w.known["EncryptedKeyMaterial"] = []any{wrapped, other}
	w.ask("ImportKeyMaterial", m{"KeyId": id, "ImportToken": got["ImportToken"], "EncryptedKeyMaterial": wrapped,
		"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"})
	w.ask("DeleteImportedKeyMaterial", m{"KeyId": id})
}

// useStore leaves a store that is connected, with a key in it.
func (w *world) useStore(p *xkstest.Proxy) {
	for _, last := range []bool{false, true} {
		store := m{"CustomKeyStoreId": w.ask("CreateCustomKeyStore", storeRequest(p, nil))["CustomKeyStoreId"]}
		w.ask("UpdateCustomKeyStore", m{"CustomKeyStoreId": store["CustomKeyStoreId"], "NewCustomKeyStoreName": "store"})
		w.ask("ConnectCustomKeyStore", store)
		w.ask("DescribeCustomKeyStores", store)
		if !last {
			w.ask("DisconnectCustomKeyStore", store)
			w.ask("DeleteCustomKeyStore", store)
			continue
		}
		key := w.ask("CreateKey", m{"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store["CustomKeyStoreId"], "XksKeyId": "external"})
		id := key.object("KeyMetadata").text("KeyId")
		w.ask("Decrypt", m{"CiphertextBlob": w.ask("Encrypt", m{"KeyId": id, "Plaintext": planted})["CiphertextBlob"]})
	}
}

func (w *world) manage(id string) {
	grant := m{"KeyId": id, "GranteePrincipal": w.who.UserARN, "RetiringPrincipal": w.who.UserARN, "Operations": []string{"Decrypt", "CreateGrant"},
		"Constraints": m{"EncryptionContextSubset": m{"a": "b"}}}
	w.ask("RetireGrant", m{"GrantToken": w.ask("CreateGrant", grant)["GrantToken"]})
	w.ask("RevokeGrant", m{"KeyId": id, "GrantId": w.ask("CreateGrant", grant)["GrantId"]})
	w.ask("CreateGrant", grant)
	w.ask("ListGrants", m{"KeyId": id, "Limit": 1})
	w.ask("ListRetirableGrants", m{"RetiringPrincipal": w.who.UserARN})
	for _, name := range []string{"alias/known", "alias/gone"} {
		w.ask("CreateAlias", m{"AliasName": name, "TargetKeyId": id})
	}
	w.ask("UpdateAlias", m{"AliasName": "alias/known", "TargetKeyId": id})
	w.ask("DeleteAlias", m{"AliasName": "alias/gone"})
	for operation, more := range map[string]m{
		"DescribeKey": nil, "EnableKey": nil, "GetKeyLastUsage": nil, "ListAliases": nil, "ListKeyPolicies": nil, "ListResourceTags": {"Limit": 1},
		"TagResource": {"Tags": []m{{"TagKey": "t", "TagValue": ""}}}, "UntagResource": {"TagKeys": []string{"t"}}, "UpdateKeyDescription": {"Description": ""},
	} {
		request := m{"KeyId": id}
		maps.Copy(request, more)
		w.ask(operation, request)
	}
	w.ask("PutKeyPolicy", m{"KeyId": id, "Policy": w.ask("GetKeyPolicy", m{"KeyId": id})["Policy"]})
	w.ask("ListKeys", m{"Limit": 1})
	w.ask("ScheduleKeyDeletion", m{"KeyId": id})
	w.ask("CancelKeyDeletion", m{"KeyId": id})
	w.ask("EnableKey", m{"KeyId": id})
}

var (
	symmetricMaterial = []byte("planted key material of 32 bytes")
	planted           = []byte("planted, and not for anyone to write")
)

// send sends a body as a client does that signs it, and answers what comes back.
// Whatever it is, it is no failure of the server's, and there is one record of it.
func (w *world) send(region, operation string, body []byte) (int, m) {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), "POST", "https://kms."+region+".example.com/", bytes.NewReader(body))
	r.RequestURI = "/" // httptest keeps the absolute form
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	hash := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(w.Context(), aws.Credentials{
		AccessKeyID: w.who.AccessKeyID, SecretAccessKey: string(w.who.Secret.Reveal()),
	}, r, hex.EncodeToString(hash[:]), "kms", region, start)
	if err != nil {
		w.Fatal(err)
	}
	response := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(response, r)
	answer := m{}
	if response.Body.Len() > 0 {
		err = json.Unmarshal(response.Body.Bytes(), &answer)
	}
	if err != nil || response.Code != 200 && (response.Code != 400 || answer["__type"] == nil) {
		w.Fatalf("%s %.2000s answers %d %s, %v\n%s", operation, body, response.Code, response.Body, err, w.logs.String())
	}
	//lint:ignore SA1008 it is AWS's own spelling
	w.recorded(operation, body, response.Header()["x-amzn-RequestId"], answer)
	return response.Code, answer
}

// recorded checks that the ledger has grown by the record of a request.
func (w *world) recorded(operation string, body []byte, requestID []string, answer m) {
	w.Helper()
	var records []ledger.Event
	err := w.node.Store.Events(w.seen, func(_ int64, raw []byte) (bool, error) {
		var e ledger.Event
		err := json.Unmarshal(raw, &e)
		records = append(records, e)
		return true, err
	})
	w.seen += int64(len(records))
	if err != nil || len(records) != 1 || len(requestID) != 1 || records[0].RequestID != requestID[0] || records[0].EventName != operation {
		w.Fatalf("%s %.2000s (request %v): %d records %+v, %v", operation, body, requestID, len(records), records, err)
	}
	if refused := answer["__type"] != nil; refused != (records[0].ErrorCode != "") {
		w.Fatalf("%s %.2000s answers %v and records %q", operation, body, answer, records[0].ErrorCode)
	}
}

// make makes a request, mostly like one that has succeeded.
func (c *choices) make(w *world, operation string, d shape.Description) m {
	if examples := w.examples[operation]; len(examples) > 0 && c.of(4) > 0 {
		return c.like(pick(c, examples...), d)
	}
	return c.request(d)
}

// fuzz is the fuzz target of one operation: requests of its shape, good and bad,
// against keys of all kinds, with others before it that change them.
func fuzz(f *testing.F, operation string) {
	shapes := kms.Describe()
	if _, ok := shapes[operation]; !ok {
		f.Fatalf("there is no operation %s", operation)
	}
	parts := newParts(f)
	names := sorted(shapes)
	f.Add([]byte{})
	for seed := range uint64(3) {
		f.Add(drawn(seed, 800))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t, parts)
		c := &choices{data: data, known: maps.Clone(w.known)}
		for range 8 {
			name := operation
			if c.of(3) == 2 {
				name = pick(c, names...)
			}
			body := encode(t, c.make(w, name, shapes[name]))
			if c.rarely(64) {
				body = body[:c.of(len(body)+1)]
			}
			_, answer := w.send(pick(c, "us-east-1", "us-east-1", "us-east-1", "us-west-2"), name, body)
			c.learn(answer)
		}
	})
}
