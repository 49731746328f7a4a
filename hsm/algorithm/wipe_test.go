package algorithm

import (
	"bytes"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// TestWipe notices when a library's private keys become something that cannot be
// overwritten: what a wiped key encodes as has nothing of the secret left. The
// standard library's own copies of RSA and NIST keys are out of reach.
func TestWipe(t *testing.T) {
	for _, spec := range Specs() {
		if modulusBits(spec) > 2048 {
			continue // like RSA_2048
		}
		key := newKey(t, spec)
		secret := secretOf(t, key)
		if !bytes.Contains(key.raw, secret) {
			t.Fatalf("%s: the secret is not in the key's encoding", spec)
		}
		key.Wipe()
		func() {
			defer func() { _ = recover() }() // a library may refuse to encode zeros
			again, err := key.material.marshal()
			if err == nil && bytes.Contains(again, secret) {
				t.Errorf("%s: the secret is still there", spec)
			}
		}()
	}
}

// secretOf answers a secret part of a key's encoding.
func secretOf(t *testing.T, key pair) []byte {
	t.Helper()
	switch m := key.material.(type) {
	case *nistKey:
		d, err := m.private.Bytes()
		must(t, err)
		return d
	case *k1Key:
		return m.private.Serialize()
	case *sm2Key:
		return m.scalar()
	default: // what comes last is secret
		return bytes.Clone(key.raw[len(key.raw)-16:])
	}
}

// TestWipeMLKEM: its keys are encoded from the seed, so look at what they do.
func TestWipeMLKEM(t *testing.T) {
	for _, spec := range []hsm.KeySpec{hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024} {
		key := newKey(t, spec)
		secret, ciphertext, err := Encapsulate(key.public, spec)
		must(t, err)
		key.Wipe()
		func() {
			defer func() { _ = recover() }()
			if again, err := key.Decapsulate(ciphertext); err == nil && bytes.Equal(again, secret) {
				t.Errorf("%s: a wiped key still decapsulates", spec)
			}
		}()
	}
}
