package rig

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
)

// TestSearchFindsWhatIsWritten shows that the search for planted secrets can
// fail: it finds them in each form and place that it knows.
func TestSearchFindsWhatIsWritten(t *testing.T) {
	secrets := newSecrets()
	plain := secrets.Plaintext(64)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(base64.StdEncoding.EncodeToString(plain))
	between := func(b []byte) []byte { return slices.Concat([]byte("before"), b, []byte("after")) }
	for name, content := range map[string][]byte{
		"raw":        between(plain),
		"hex":        between([]byte(hex.EncodeToString(plain))),
		"base64 + 0": between(text),
		"base64 + 1": []byte(base64.StdEncoding.EncodeToString(slices.Concat([]byte("x"), plain))),
		"base64 + 2": []byte(base64.StdEncoding.EncodeToString(slices.Concat([]byte("xy"), plain))),
		"compressed": between(encoder.EncodeAll(slices.Concat(bytes.Repeat(text, 3), bytes.Repeat([]byte("filler"), 1000)), nil)),
	} {
		t.Run(name, func(t *testing.T) {
			n := emptyNode(t)
			if err := os.WriteFile(filepath.Join(n.DataDir(), "file"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if !finds(t, n, secrets) {
				t.Error("not found")
			}
		})
	}
}

func TestSearchFindsWhatIsInTheDatabase(t *testing.T) {
	secrets := newSecrets()
	n := emptyNode(t)
	db, err := pebble.Open(filepath.Join(n.DataDir(), "state"), &pebble.Options{Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	filler := bytes.Repeat([]byte("filler"), 1000)
	if err := db.Set([]byte("key"), slices.Concat(filler, secrets.Plaintext(64)), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !finds(t, n, secrets) {
		t.Error("not found")
	}
}

func TestSearchFindsNothingInNothing(t *testing.T) {
	n := emptyNode(t)
	if err := os.WriteFile(filepath.Join(n.DataDir(), "file"), random(1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	if finds(t, n, newSecrets()) {
		t.Error("found what is not there")
	}
}

func emptyNode(t *testing.T) *Node {
	t.Helper()
	n := &Node{Name: "node", dir: t.TempDir()}
	if err := os.Mkdir(n.DataDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.logFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

func finds(t *testing.T, n *Node, secrets *Secrets) bool {
	t.Helper()
	found := false
	if err := n.search(secrets.patterns(), func(pattern, string) { found = true }); err != nil {
		t.Fatal(err)
	}
	return found
}
