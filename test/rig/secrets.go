package rig

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
)

// Secrets are what must not be found in anything that a node writes. It is safe
// for concurrent use.
type Secrets struct {
	mu     sync.Mutex
	marker []byte
	named  []pattern
}

// pattern is a secret in one of the forms in which it could be written.
type pattern struct {
	name  string
	value []byte
}

func (p pattern) in(b []byte) bool { return bytes.Contains(b, p.value) }

// markerSize is a multiple of 3, so that base64 of a plaintext begins with base64
// of its marker.
const markerSize = 18

func newSecrets() *Secrets {
	s := &Secrets{marker: random(markerSize)}
	s.Add("a marked plaintext", s.marker)
	return s
}

// Add plants a secret.
func (s *Secrets) Add(name string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named = append(s.named, pattern{name, bytes.Clone(value)})
}

// Plaintext answers a new marked plaintext of a given size in bytes, at least 18.
// However many there are, searching for them costs the same.
func (s *Secrets) Plaintext(size int) []byte {
	return slices.Concat(s.marker, random(size-markerSize))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return b
}

// patterns are all secrets: as they are, in hex, and in base64 at each of the
// three positions that they can have within what is encoded.
func (s *Secrets) patterns() []pattern {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []pattern
	for _, secret := range s.named {
		all = append(all,
			secret,
			pattern{secret.name + " (hex)", []byte(hex.EncodeToString(secret.value))})
		for shift := range 3 {
			all = append(all, pattern{secret.name + " (base64)", inBase64(secret.value, shift)})
		}
	}
	return all
}

// inBase64 is what base64 makes of a secret that has shift bytes before it: only
// the characters that depend on nothing but the secret.
func inBase64(value []byte, shift int) []byte {
	text := base64.StdEncoding.EncodeToString(slices.Concat(make([]byte, shift), value))
	first := (shift*8 + 5) / 6
	last := (shift + len(value)) * 8 / 6
	return []byte(text[first:last])
}
