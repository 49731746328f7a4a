package kms_test

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"hash"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/kwp"
	"github.com/cofre-kms/cofre/server/state"
)

// never is an import that does not expire.
func never() m { return m{"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"} }

// external makes a key whose material is imported.
func (f *fixture) external(spec hsm.KeySpec) (id, arn string) {
	f.Helper()
	return f.create(m{"Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": usageOf(spec)})
}

// usageOf is a usage of keys of a spec.
func usageOf(spec hsm.KeySpec) string {
	switch spec {
	case hsm.SymmetricDefault:
		return "ENCRYPT_DECRYPT"
	case hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512:
		return "GENERATE_VERIFY_MAC"
	}
	return "SIGN_VERIFY"
}

// wrapping is what GetParametersForImport gives.
type wrapping struct {
	algorithm hsm.WrappingAlgorithm
	public    any
	token     []byte
}

func (f *fixture) wrapping(id string, algorithm hsm.WrappingAlgorithm, spec hsm.KeySpec) *wrapping {
	f.Helper()
	got := f.do("GetParametersForImport", m{"KeyId": id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec})
	w := &wrapping{algorithm: algorithm, token: got.bytes("ImportToken")}
	if spec == hsm.SM2 {
		w.public = got.bytes("PublicKey")
		return w
	}
	var err error
	if w.public, err = x509.ParsePKIXPublicKey(got.bytes("PublicKey")); err != nil {
		f.Fatal(err)
	}
	return w
}

// wrap encrypts material as a client does.
func (w *wrapping) wrap(t testing.TB, material []byte) []byte {
	t.Helper()
	var h hash.Hash = sha256.New()
	switch w.algorithm {
	case hsm.WrapSM2PKE:
		return wrapSM2(t, w.public.([]byte), material)
	case hsm.WrapOAEPSHA1, hsm.WrapAESSHA1:
		h = sha1.New()
	}
	public := w.public.(*rsa.PublicKey)
	direct := w.algorithm == hsm.WrapOAEPSHA1 || w.algorithm == hsm.WrapOAEPSHA256
	plain := material
	if !direct {
		plain = make([]byte, 32)
		rand.Read(plain)
	}
	encrypted, err := rsa.EncryptOAEP(h, rand.Reader, public, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	if direct {
		return encrypted
	}
	block, err := aes.NewCipher(plain)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := kwp.Wrap(block, material)
	if err != nil {
		t.Fatal(err)
	}
	return append(encrypted, wrapped...)
}

func wrapSM2(t testing.TB, public, material []byte) []byte {
	t.Helper()
	encrypted, err := algorithm.Encrypt(public, hsm.SM2, hsm.SM2PKE, material)
	if err != nil {
		t.Fatal(err)
	}
	return encrypted
}

// imports is a request to import what w encrypts.
func (w *wrapping) imports(t testing.TB, id string, material []byte, more m) m {
	t.Helper()
	request := m{"KeyId": id, "ImportToken": w.token, "EncryptedKeyMaterial": w.wrap(t, material)}
	for name, value := range more {
		request[name] = value
	}
	return request
}

// bring imports material and answers its id.
func (f *fixture) bring(id string, material []byte, more m) (materialID string) {
	f.Helper()
	w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2) // the fastest to make
	return f.do("ImportKeyMaterial", w.imports(f, id, material, more)).text("KeyMaterialId")
}

// symmetric is material of a symmetric encryption key.
func symmetric(b byte) []byte {
	material := make([]byte, 32)
	for i := range material {
		material[i] = b
	}
	return material
}

func (f *fixture) described(id string) answer {
	f.Helper()
	return f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
}

// prepareImport is prepare for the operations of imported material.
func (f *fixture) prepareImport(operation string) (request m, arn string) {
	f.Helper()
	id, arn := f.external(hsm.SymmetricDefault)
	w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
	switch operation {
	case "ImportKeyMaterial":
		return w.imports(f, id, symmetric(1), never()), arn
	case "GetParametersForImport":
		return m{"KeyId": id, "WrappingAlgorithm": w.algorithm, "WrappingKeySpec": "SM2"}, arn
	}
	f.do("ImportKeyMaterial", w.imports(f, id, symmetric(1), never()))
	return m{"KeyId": id}, arn
}

// toImport answers the one key whose material is imported, made at first use.
func (f *fixture) toImport() string {
	f.Helper()
	found := ""
	err := state.Keys.Scan(f.node.View(), nil, nil, func(_ []string, k *state.Key) (bool, error) {
		if k.Origin == state.OriginExternal {
			found = k.ID
		}
		return found == "", nil
	})
	if err != nil {
		f.Fatal(err)
	}
	if found == "" {
		found, _ = f.external(hsm.SymmetricDefault)
	}
	return found
}

// Requests of TestGuards, for the key of toImport.

func importing(b byte) func(f *fixture, _, _ string) m {
	return func(f *fixture, _, _ string) m {
		id := f.toImport()
		return f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2).imports(f, id, symmetric(b), never())
	}
}

func importedOnly(f *fixture, _, _ string) m { return m{"KeyId": f.toImport()} }

func parameters(f *fixture, _, _ string) m {
	return m{"KeyId": f.toImport(), "WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "SM2"}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// expirations counts the entries of the steward's agenda.
func (f *fixture) expirations() (n int) {
	f.Helper()
	err := state.Expirations.Scan(f.node.View(), nil, nil, func([]string, *state.Expiration) (bool, error) {
		n++
		return true, nil
	})
	if err != nil {
		f.Fatal(err)
	}
	return n
}
