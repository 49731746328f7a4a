package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// bad is a request that must be refused.
type bad struct {
	name, target, body string
	change             func(*http.Request) // spoils the signed request; may be nil
	status             int
	code               string // or several, any of which is right
}

// TestBadInput sends requests that no SDK would send: each gets its error, on
// every node, and changes nothing.
func TestBadInput(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary})
	clients := c.Clients(t)
	key := newKey(t, clients[0])
	before := snapshot(t, clients[0])
	requests := slices.Concat(badProtocol(key), badSignatures(), badValues(key, c.Secrets), badCiphertexts(t, c, key))
	for _, n := range c.Nodes {
		sender := c.Raw(t, n, c.Admin)
		for _, b := range requests {
			t.Run(n.Name+"/"+b.name, func(t *testing.T) {
				reply, err := sender.Send(t.Context(), b.target, []byte(b.body), b.change)
				if err != nil {
					t.Fatal(err)
				}
				if reply.Status != b.status || !slices.Contains(strings.Fields(b.code), reply.Code) {
					t.Errorf("HTTP %d %s, want %d %s: %s", reply.Status, reply.Code, b.status, b.code, reply.Body)
				}
			})
		}
	}
	if after := snapshot(t, clients[1]); after != before {
		t.Errorf("bad input changed something: before\n%s\nafter\n%s", before, after)
	}
}

// badProtocol are requests that are wrong before their values matter.
func badProtocol(key string) []bad {
	const encrypt = "TrentService.Encrypt"
	return []bad{
		{name: "invalid JSON", target: encrypt, body: `{"KeyId":`, status: 400, code: "SerializationException"},
		{name: "no JSON at all", target: encrypt, body: "\x00\xff", status: 400, code: "SerializationException"},
		{name: "a list", target: encrypt, body: `[]`, status: 400, code: "SerializationException"},
		{name: "a number for a string", target: encrypt, body: `{"KeyId":1,"Plaintext":"AAAA"}`, status: 400, code: "SerializationException"},
		{name: "a string for a map", target: encrypt, body: `{"KeyId":"` + key + `","Plaintext":"AAAA","EncryptionContext":"x"}`,
			status: 400, code: "SerializationException"},
		{name: "no base64", target: encrypt, body: `{"KeyId":"` + key + `","Plaintext":"*"}`, status: 400, code: "SerializationException"},
		{name: "unknown operation", target: "TrentService.Explode", body: `{}`, status: 400, code: "UnknownOperationException"},
		{name: "unknown service", target: "Other.Encrypt", body: `{}`, status: 400, code: "UnknownOperationException"},
		{name: "no operation", target: "", body: `{}`, status: 400, code: "UnknownOperationException"},
		{name: "oversized body", target: encrypt, body: `{"KeyId":"` + strings.Repeat("x", 1<<20) + `"}`,
			status: 413, code: "RequestEntityTooLargeException"},
	}
}

// badSignatures are requests of nobody.
func badSignatures() []bad {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	const list = "TrentService.ListKeys"
	return []bad{
		{name: "no signature", target: list, body: `{}`, change: func(r *http.Request) { r.Header.Del("Authorization") },
			status: 400, code: "MissingAuthenticationTokenException"},
		{name: "changed target", target: list, body: `{}`, change: header("X-Amz-Target", "TrentService.CreateKey"),
			status: 400, code: "InvalidSignatureException"},
		{name: "changed body", target: list, body: `{}`, change: func(r *http.Request) {
			body := `{"Limit":1}`
			r.Body, r.ContentLength = http.NoBody, int64(len(body))
			r.Body = readCloser{strings.NewReader(body)}
		}, status: 400, code: "InvalidSignatureException"},
		{name: "another time", target: list, body: `{}`, change: func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(-time.Hour).UTC().Format("20060102T150405Z"))
		}, status: 400, code: "InvalidSignatureException"},
		{name: "unknown access key", target: list, body: `{}`, change: func(r *http.Request) {
			_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "/")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"+rest)
		}, status: 400, code: "UnrecognizedClientException"},
		{name: "malformed signature", target: list, body: `{}`, change: header("Authorization", "AWS4-HMAC-SHA256 Credential=x"),
			status: 400, code: "IncompleteSignatureException"},
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// badValues are well-formed requests with values that the API does not allow.
func badValues(key string, secrets *rig.Secrets) []bad {
	refuse := func(name, operation, body, code string) bad {
		return bad{name: name, target: "TrentService." + operation, body: body, status: 400, code: code}
	}
	long := base64.StdEncoding.EncodeToString(secrets.Plaintext(4097))
	return []bad{
		refuse("4,097 bytes", "Encrypt", `{"KeyId":"`+key+`","Plaintext":"`+long+`"}`, "ValidationException"),
		refuse("no plaintext", "Encrypt", `{"KeyId":"`+key+`"}`, "ValidationException"),
		refuse("no key", "DescribeKey", `{}`, "ValidationException"),
		refuse("malformed key id", "DescribeKey", `{"KeyId":"fake"}`, "NotFoundException"),
		refuse("absent key", "DescribeKey", `{"KeyId":"00000000-0000-4000-8000-000000000000"}`, "NotFoundException"),
		refuse("absent alias", "DescribeKey", `{"KeyId":"alias/absent"}`, "NotFoundException"),
		refuse("short window", "ScheduleKeyDeletion", `{"KeyId":"`+key+`","PendingWindowInDays":6}`, "ValidationException"),
		refuse("reserved alias", "CreateAlias", `{"AliasName":"alias/aws/x","TargetKeyId":"`+key+`"}`, "NotAuthorizedException"),
		refuse("alias without prefix", "CreateAlias", `{"AliasName":"x","TargetKeyId":"`+key+`"}`, "ValidationException"),
		refuse("both sizes", "GenerateDataKey", `{"KeyId":"`+key+`","KeySpec":"AES_256","NumberOfBytes":32}`, "ValidationException"),
		refuse("no size", "GenerateRandom", `{}`, "ValidationException"),
		refuse("too many bytes", "GenerateRandom", `{"NumberOfBytes":1025}`, "ValidationException"),
		refuse("bad policy", "PutKeyPolicy", `{"KeyId":"`+key+`","Policy":"no JSON"}`, "MalformedPolicyDocumentException"),
		refuse("reserved tag", "TagResource", `{"KeyId":"`+key+`","Tags":[{"TagKey":"aws:x","TagValue":"y"}]}`, "TagException"),
	}
}

// badCiphertexts are ciphertexts that do not open: a good one with another
// context, changed or cut at places all over it, and foreign ones.
func badCiphertexts(t *testing.T, c *rig.Cluster, key string) []bad {
	client := c.Client(t, c.Node(1), c.Admin)
	out, err := client.Encrypt(t.Context(), &kms.EncryptInput{
		KeyId: &key, Plaintext: c.Secrets.Plaintext(40), EncryptionContext: map[string]string{"a": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	good := out.CiphertextBlob
	decrypt := func(name string, blob []byte, context, code string) bad {
		body := fmt.Sprintf(`{"CiphertextBlob":%q,"EncryptionContext":%s}`, base64.StdEncoding.EncodeToString(blob), context)
		return bad{name: name, target: "TrentService.Decrypt", body: body, status: 400, code: code}
	}
	all := []bad{
		decrypt("wrong context", good, `{"a":"c"}`, "InvalidCiphertextException"),
		decrypt("no context", good, `{}`, "InvalidCiphertextException"),
		decrypt("one more", slices.Concat(good, []byte{0}), `{"a":"b"}`, "InvalidCiphertextException"),
		decrypt("foreign", bytes.Repeat([]byte{0xA5}, len(good)), `{"a":"b"}`, "InvalidCiphertextException"),
	}
	// A bit of the account or the key id makes it the ciphertext of another key.
	const eitherWay = "InvalidCiphertextException AccessDeniedException"
	for i := 0; i < len(good); i += 1 + len(good)/12 {
		changed := slices.Clone(good)
		changed[i] ^= 1
		all = append(all, decrypt(fmt.Sprintf("changed at %d", i), changed, `{"a":"b"}`, eitherWay))
		if i > 0 {
			all = append(all, decrypt(fmt.Sprintf("cut at %d", i), good[:i], `{"a":"b"}`, "InvalidCiphertextException"))
		}
	}
	return all
}

// snapshot is what an account's keys look like to a client.
func snapshot(t *testing.T, client *kms.Client) string {
	t.Helper()
	keys, err := client.ListKeys(t.Context(), &kms.ListKeysInput{})
	if err != nil {
		t.Fatal(err)
	}
	aliases, err := client.ListAliases(t.Context(), &kms.ListAliasesInput{})
	if err != nil {
		t.Fatal(err)
	}
	state := []any{keys.Keys, aliases.Aliases}
	for _, k := range keys.Keys {
		key, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: k.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		policy, err := client.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: k.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		tags, err := client.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: k.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		state = append(state, key.KeyMetadata, policy.Policy, tags.Tags)
	}
	text, err := json.MarshalIndent(state, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
