// Package vectors holds published test vectors, of Project Wycheproof and of
// NIST, for all that uses keys: hsm/algorithm, partitions, and the API. README.md
// says where they come from, and where Cofre's answer is another than theirs.
//
// It does nothing with them, and nothing but tests imports it.
package vectors

import (
	"compress/gzip"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

//go:embed testdata/*.json.gz
var files embed.FS

// Group is what some tests have in common. What a file does not have is zero.
type Group struct {
	KeySize int    `json:"keySize"` // bits
	TagSize int    `json:"tagSize"` // bits
	Hash    string `json:"sha"`     // "SHA-256"
	MGFHash string `json:"mgfSha"`
	Salt    int    `json:"sLen"`            // bytes, of PSS
	Public  Bytes  `json:"publicKeyDer"`    // SubjectPublicKeyInfo
	Private Bytes  `json:"privateKeyPkcs8"` // DER
	Seed    Bytes  `json:"privateSeed"`     // of ML-DSA
	Tests   []Test `json:"tests"`
}

// Test is one vector.
type Test struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Result  Result   `json:"result"`

	Message    Bytes `json:"msg"`
	Signature  Bytes `json:"sig"`
	Key        Bytes `json:"key"` // a secret key
	Tag        Bytes `json:"tag"`
	Ciphertext Bytes `json:"ct"`
	Label      Bytes `json:"label"`   // of OAEP
	Public     Bytes `json:"public"`  // of ECDH a SubjectPublicKeyInfo, of ML-DSA the raw key
	Private    Bytes `json:"private"` // a scalar
	Shared     Bytes `json:"shared"`
	Mu         Bytes `json:"mu"`
	Context    Bytes `json:"ctx"`  // of ML-DSA
	Seed       Bytes `json:"seed"` // of ML-DSA or ML-KEM
	// The last three are ML-KEM's: encapsulation key, ciphertext, shared secret.
	Encapsulation Bytes `json:"ek"`
	Encapsulated  Bytes `json:"c"`
	Secret        Bytes `json:"K"`
}

// Result is what a vector is said to be. What is acceptable is decided by who
// runs it, once for each flag.
type Result string

const (
	Valid      Result = "valid"
	Invalid    Result = "invalid"
	Acceptable Result = "acceptable"
)

// Bytes are written in hexadecimal.
type Bytes []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// Load reads a file of testdata, by its name without extensions.
func Load(t testing.TB, name string) []Group {
	t.Helper()
	f, err := files.Open("testdata/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	var document struct{ TestGroups []Group }
	if err := json.NewDecoder(unzipped).Decode(&document); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	if len(document.TestGroups) == 0 {
		t.Fatalf("%s has no tests", name)
	}
	return document.TestGroups
}

// Has says whether a test has a flag.
func (v *Test) Has(flag string) bool { return slices.Contains(v.Flags, flag) }

// String names a test in a message.
func (v *Test) String() string {
	return fmt.Sprintf("test %d (%s, %s) %v", v.ID, v.Result, v.Comment, v.Flags)
}
