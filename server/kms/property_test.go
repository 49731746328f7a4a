package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/soft"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/kms"
)

// useSoft makes the service on an embedded partition.
func (f *fixture) useSoft() {
	partition, err := soft.Open(f.Context(), soft.Config{
		Path: filepath.Join(f.TempDir(), "partition"), PIN: "1234", Cost: soft.Cost{Passes: 1, MemoryKiB: 64, Threads: 1},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { partition.Close() })
	if err := partition.CreateDomain(f.Context(), 1); err != nil {
		f.Fatal(err)
	}
	f.use(partition)
	f.initialize(partition)
}

var contexts = rapid.MapOfN(rapid.String(), rapid.String(), 0, 4)

// asMap makes a request's member of a context.
func asMap(context map[string]string) m {
	request := m{}
	for k, v := range context {
		request[k] = v
	}
	return request
}

// TestRoundTrip encrypts with drawn contexts: only the same context opens the
// ciphertext, and no other key does.
func TestRoundTrip(t *testing.T) {
	f := newFixture(t)
	f.useSoft()
	id, _ := f.create(m{})
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 1, 4096).Draw(t, "plaintext")
		context, other := contexts.Draw(t, "context"), contexts.Draw(t, "other context")
		sealed := f.do("Encrypt", m{"KeyId": id, "Plaintext": plain, "EncryptionContext": asMap(context)})
		got := f.do("Decrypt", m{"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": asMap(context)})
		if !bytes.Equal(got.bytes("Plaintext"), plain) {
			t.Fatal("the plaintext is another")
		}
		request := m{"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": asMap(other)}
		if fmt.Sprint(other) != fmt.Sprint(context) {
			f.refuse("Decrypt", request, "InvalidCiphertextException")
		} else {
			f.do("Decrypt", request)
		}
	})
}

// TestTampering changes every byte of a ciphertext and cuts it at every place.
func TestTampering(t *testing.T) {
	f := newFixture(t)
	f.useSoft()
	id, _ := f.create(m{})
	blob, err := base64.StdEncoding.DecodeString(f.encrypt(id, "secret", m{"a": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	// Bytes that name the account and the key lead to another key, or to none.
	const account, material = 2, 2 + 8 + 16
	try := func(name string, blob []byte, keyed bool, allowed ...string) {
		t.Helper()
		request := m{"CiphertextBlob": blob, "EncryptionContext": m{"a": "1"}}
		if keyed {
			request["KeyId"] = id
		}
		_, err := f.try("Decrypt", encode(t, request))
		var e *call.Error
		if !errors.As(err, &e) || !slices.Contains(allowed, e.Code) {
			t.Fatalf("%s: %v, want one of %v", name, err, allowed)
		}
	}
	for i := range blob {
		for _, flip := range []byte{1, 0x80} {
			changed := bytes.Clone(blob)
			changed[i] ^= flip
			without, with := []string{"InvalidCiphertextException"}, []string{"InvalidCiphertextException"}
			if i >= 1 && i < material { // from the flags on
				without = append(without, "AccessDeniedException")
				with = append(with, "IncorrectKeyException")
			}
			name := fmt.Sprintf("byte %d xor %#x", i, flip)
			try(name, changed, false, without...)
			try(name, changed, true, with...)
		}
	}
	for i := 1; i < len(blob); i++ {
		try(fmt.Sprintf("%d bytes", i), blob[:i], false, "InvalidCiphertextException")
	}
	try("one more byte", append(bytes.Clone(blob), 0), false, "InvalidCiphertextException")
	changed := bytes.Clone(blob)
	copy(changed[account:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	try("no account", changed, false, "InvalidCiphertextException")
}

// TestForeignPartition: a ciphertext of another cluster does not open, even
// under a key of the same id.
func TestForeignPartition(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	blob := f.encrypt(id, "secret", nil)
	f.use(brokenHSM{f.hsm, hsm.ErrInvalidCiphertext})
	f.refuse("Decrypt", m{"CiphertextBlob": blob}, "InvalidCiphertextException")
	for _, failure := range []error{hsm.ErrUnavailable, hsm.ErrTimeout, hsm.ErrInvalidKey} {
		f.use(brokenHSM{f.hsm, failure})
		records := len(f.node.RawEvents(t))
		for operation, request := range map[string]m{
			"CreateKey": {}, "Encrypt": plaintext(f, id, ""), "Decrypt": {"CiphertextBlob": blob},
			"GenerateDataKey": dataKey(f, id, ""), "GenerateRandom": {"NumberOfBytes": 1},
			"ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": id},
		} {
			_, err := f.try(operation, encode(t, request))
			var e *call.Error
			if !errors.Is(err, failure) || errors.As(err, &e) {
				t.Errorf("%s: %v, want %v", operation, err, failure)
			}
		}
		if n := len(f.node.RawEvents(t)); n != records {
			t.Errorf("failures left %d records", n-records)
		}
	}
}

// TestSecretsStayOut plants marks in all that must not be recorded and looks for
// them in the ledger, in clear and in base64.
func TestSecretsStayOut(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	var secrets [][]byte
	rapid.Check(t, func(t *rapid.T) {
		mark := []byte(fmt.Sprintf("mark-%s-%x", rapid.StringMatching("[a-z]{8}").Draw(t, "mark"), rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "tail")))
		plain := slices.Concat(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "before"), mark)
		sealed := f.do("Encrypt", m{"KeyId": id, "Plaintext": plain, "EncryptionContext": m{"a": "b"}}).bytes("CiphertextBlob")
		f.do("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": m{"a": "b"}})
		f.try("Decrypt", encode(f, m{"CiphertextBlob": sealed}))
		f.try("Decrypt", encode(f, m{"CiphertextBlob": plain}))
		f.try("Encrypt", encode(f, m{"KeyId": absent, "Plaintext": plain}))
		f.try("Encrypt", encode(f, m{"KeyId": id, "Plaintext": plain, "EncryptionAlgorithm": "SM2PKE"}))
		again := f.do("ReEncrypt", m{"CiphertextBlob": sealed, "SourceEncryptionContext": m{"a": "b"}, "DestinationKeyId": id})
		generated := f.do("GenerateDataKey", m{"KeyId": id, "NumberOfBytes": 24})
		random := f.do("GenerateRandom", m{"NumberOfBytes": 24})
		secrets = append(secrets, mark, plain[max(0, len(plain)-24):], sealed, again.bytes("CiphertextBlob"),
			generated.bytes("CiphertextBlob"), generated.bytes("Plaintext"), random.bytes("Plaintext"))
	})
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": `{"Statement":{"Sid":"in the record","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`})
	ledger := strings.Join(f.node.RawEvents(t), "\n")
	if !strings.Contains(ledger, "in the record") {
		t.Fatal("the ledger is not what this test thinks")
	}
	for _, secret := range secrets {
		encoded := base64.RawStdEncoding.EncodeToString(secret[:len(secret)/3*3])
		if strings.Contains(ledger, string(secret)) || strings.Contains(ledger, encoded) {
			t.Fatalf("%q is in the ledger", secret)
		}
	}
}

// brokenHSM fails at everything.
type brokenHSM struct {
	kms.HSM
	failure error
}

func (b brokenHSM) Random(context.Context, []byte) error { return b.failure }

func (b brokenHSM) GenerateKey(context.Context, hsm.Generation, hsm.KeySpec) (hsm.WrappedKey, error) {
	return hsm.WrappedKey{}, b.failure
}

func (b brokenHSM) Encrypt(context.Context, hsm.WrappedKey, []byte, []byte) (hsm.Sealed, error) {
	return hsm.Sealed{}, b.failure
}

func (b brokenHSM) Decrypt(context.Context, hsm.WrappedKey, hsm.Sealed, []byte) ([]byte, error) {
	return nil, b.failure
}

// TestPages reads lists in pages of drawn sizes while entries come and go: every
// entry that was there all the time is listed once.
func TestPages(t *testing.T) {
	f := newFixture(t)
	accounts := 0
	rapid.Check(t, func(t *rapid.T) {
		accounts++
		f.account = fmt.Sprintf("%012d", accounts) // lists of its own
		f.write(func(tx *fsm.Txn) error { return addAdministrator(tx, f.account) })
		id, _ := f.create(m{})
		lists := map[string]struct {
			request m
			entries string
			name    string
			more    func(i int)
			total   int
		}{
			"ListKeys":         {m{}, "Keys", "KeyId", func(int) { f.create(m{}) }, 1},
			"ListAliases":      {m{}, "Aliases", "AliasName", f.addAlias(id, "alias/x"), 0},
			"ListResourceTags": {m{"KeyId": id}, "Tags", "TagKey", f.addTag(id), 0},
		}
		operation := rapid.SampledFrom([]string{"ListKeys", "ListAliases", "ListResourceTags"}).Draw(t, "list")
		list := lists[operation]
		if operation == "ListAliases" && rapid.Bool().Draw(t, "of one key") {
			list.request["KeyId"] = id
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "entries") {
			list.more(i)
		}
		before := f.names(operation, list.request, list.entries, list.name)
		seen := map[string]int{}
		for marker, pages := any(nil), 0; ; pages++ {
			request := m{"Limit": rapid.IntRange(1, 5).Draw(t, "limit")}
			for k, v := range list.request {
				request[k] = v
			}
			if marker != nil {
				request["Marker"] = marker
			}
			page := f.do(operation, request)
			entries := page.list(list.entries)
			if len(entries) > request["Limit"].(int) || page["Truncated"] == true && len(entries) == 0 {
				t.Fatalf("a page of %d entries: %v", len(entries), page)
			}
			for _, entry := range entries {
				seen[entry.(map[string]any)[list.name].(string)]++
			}
			if (page["Truncated"] == true) != (page["NextMarker"] != nil) {
				t.Fatalf("%v", page)
			}
			if marker = page["NextMarker"]; marker == nil {
				break
			}
			if rapid.Bool().Draw(t, "one more") {
				list.more(100 + pages)
			}
		}
		for _, name := range before {
			if seen[name] != 1 {
				t.Fatalf("%s is listed %d times", name, seen[name])
			}
		}
	})
}

// names answers the names of a list's entries.
func (f *fixture) names(operation string, request m, entries, name string) (names []string) {
	for _, entry := range f.do(operation, request).list(entries) {
		names = append(names, entry.(map[string]any)[name].(string))
	}
	return names
}

func (f *fixture) addAlias(id, prefix string) func(int) {
	return func(i int) { f.do("CreateAlias", m{"AliasName": fmt.Sprint(prefix, i), "TargetKeyId": id}) }
}

func (f *fixture) addTag(id string) func(int) {
	return func(i int) {
		f.do("TagResource", m{"KeyId": id, "Tags": []m{{"TagKey": fmt.Sprint("k", i), "TagValue": "v"}}})
	}
}

func TestMarkers(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	f.create(m{})
	f.do("TagResource", m{"KeyId": id, "Tags": []m{{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": ""}}})
	keys := f.do("ListKeys", m{"Limit": 1}).text("NextMarker")
	tags := f.do("ListResourceTags", m{"KeyId": id, "Limit": 1}).text("NextMarker")
	if keys == "" || tags == "" {
		t.Fatal("no markers")
	}
	for operation, markers := range map[string][]string{
		"ListKeys":         {"x", "!", tags, keys[1:], keys + "A", strings.ToLower(keys), base64.RawURLEncoding.EncodeToString([]byte("keys a\x00b"))},
		"ListAliases":      {"x", keys, tags},
		"ListResourceTags": {"x", keys},
		"ListKeyPolicies":  {"x", keys, tags},
	} {
		for _, marker := range markers {
			request := m{"Marker": marker}
			if operation != "ListKeys" {
				request["KeyId"] = id
			}
			f.refuse(operation, request, "InvalidMarkerException: Could not deserialize marker '"+marker+"'")
		}
	}
	f.refuse("ListKeys", m{"Limit": 1001}, "ValidationException: 1 validation error detected: Value '1001' at 'limit' failed to "+
		"satisfy constraint: Member must have value less than or equal to 1000")
}
