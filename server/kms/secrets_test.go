package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks/xkstest"
)

// TestNothingSecretIsWritten sends a request of every operation, and sends it again with what
// makes it fail. Plaintexts and key material are in no log, no record of the ledger and
// no record of the state; ciphertexts, signatures and tokens are in no log and
// not in the ledger.
func TestNothingSecretIsWritten(t *testing.T) {
	w := newWorld(t, newParts(t))
	shapes := kms.Describe()
	for _, operation := range sorted(shapes) {
		if len(w.examples[operation]) == 0 {
			t.Errorf("%s is not called", operation)
		}
		for _, request := range w.examples[operation] {
			for _, region := range []string{"us-east-1", "us-west-2"} {
				w.send(region, operation, encode(t, spoiled(request, shapes[operation])))
			}
			body := encode(t, request)
			w.send("us-east-1", operation, body[:len(body)-1])
		}
	}
	written := "logs " + w.logs.String() + strings.Join(w.node.RawEvents(t), "\n")
	for _, secret := range [][]byte{planted, symmetricMaterial, []byte(xkstest.SecretAccessKey), []byte(w.who.Secret.Reveal())} {
		w.absent("what was planted", secret, written, w.state())
	}
	for _, a := range w.answers {
		for _, name := range []string{"Plaintext", "PrivateKeyPlaintext", "SharedSecret"} {
			w.absent(name, a.bytes(name), written, w.state())
		}
		for _, name := range []string{"CiphertextBlob", "PrivateKeyCiphertextBlob", "CiphertextForRecipient", "SharedSecretCiphertextBlob",
			"Signature", "Mac", "ImportToken"} {
			w.absent(name, a.bytes(name), written)
		}
		if token := a.text("GrantToken"); token != "" && strings.Contains(written, token) {
			t.Error("a grant token was written")
		}
	}
	if !strings.Contains(written, `"eventName":"ImportKeyMaterial"`) || !strings.Contains(w.state(), w.who.AccountID) {
		t.Error("this is not what was written")
	}
}

// spoiled is a request with something planted in each of its blobs.
func spoiled(request m, d shape.Description) m {
	other := maps.Clone(request)
	for name, member := range d.Members {
		if _, has := request[name]; has && member.Type == "blob" {
			other[name] = planted
		}
		if inner, has := request[name].(m); has && member.Type == "structure" {
			other[name] = spoiled(inner, member)
		}
	}
	other["Planted"] = planted
	return other
}

// state is what the state has of keys, stores, grants and users.
func (w *world) state() string {
	w.Helper()
	var all bytes.Buffer
	for _, table := range []string{
		state.Systems.Name, state.Accounts.Name, state.Users.Name, state.AccessKeys.Name, state.Keys.Name, state.KeyMaterials.Name,
		state.KeyPolicies.Name, state.KeyTags.Name, state.KeyUsages.Name, state.Aliases.Name, state.Grants.Name, state.GrantTwins.Name,
		state.RetirableGrants.Name, state.CustomKeyStores.Name, state.ExternalKeys.Name, state.Announcements.Name,
	} {
		err := w.node.View().Scan(fsm.NewKey(table), "", func(key fsm.Key, r *fsm.Record) (bool, error) {
			all.WriteString(string(key))
			all.Write(r.Value)
			return true, nil
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	return all.String()
}

// absent searches for a value as it is, in base64 and in hexadecimal. One that is short
// comes by chance.
func (w *world) absent(what string, value []byte, in ...string) {
	w.Helper()
	if len(value) < 12 {
		return
	}
	start := value[:min(len(value), 24)/3*3] // of more, the start is enough
	for _, form := range []string{string(start), base64.StdEncoding.EncodeToString(start), hex.EncodeToString(start)} {
		for _, text := range in {
			if strings.Contains(text, form) {
				w.Errorf("%s was written, as %q", what, form)
			}
		}
	}
}
