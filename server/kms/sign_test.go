package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp256k1ecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/emmansun/gmsm/sm2"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/state"
)

// known makes a key whose material the test knows, of a spec that can be
// imported.
func (f *fixture) known(spec hsm.KeySpec, usage string) (id string, raw, public []byte) {
	f.Helper()
	raw, public, err := algorithm.Generate(spec)
	if err != nil {
		f.Fatal(err)
	}
	id, _ = f.external(spec)
	w := f.wrapping(id, hsm.WrapAESSHA256, hsm.RSA2048) // takes material of every length
	f.do("ImportKeyMaterial", w.imports(f, id, raw, never()))
	f.edit(id, func(k *state.Key) { k.Usage = usage })
	return id, raw, public
}

// signer is a key outside of the service, by libraries that it does not use for
// the purpose or by the standard library.
type signer struct {
	sign   func(alg string, message []byte) []byte
	verify func(alg string, message, signature []byte) bool
}

// outside reads a private key as somebody else would.
func outside(t *testing.T, spec hsm.KeySpec, raw, public []byte) signer {
	switch {
	case spec == hsm.ECCSecgP256K1:
		return outsideK1(t, raw, public)
	case spec == hsm.SM2:
		return outsideSM2(t, raw)
	}
	private, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(alg string, message []byte) []byte {
		input, options := standard(alg, message)
		signature, err := private.(crypto.Signer).Sign(rand.Reader, input, options)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	switch key := private.(type) {
	case *rsa.PrivateKey:
		return signer{sign, func(alg string, message, signature []byte) bool {
			input, options := standard(alg, message)
			if pss, ok := options.(*rsa.PSSOptions); ok {
				return rsa.VerifyPSS(&key.PublicKey, pss.Hash, input, signature, pss) == nil
			}
			return rsa.VerifyPKCS1v15(&key.PublicKey, options.HashFunc(), input, signature) == nil
		}}
	case *ecdsa.PrivateKey:
		return signer{sign, func(alg string, message, signature []byte) bool {
			input, _ := standard(alg, message)
			return ecdsa.VerifyASN1(&key.PublicKey, input, signature)
		}}
	}
	return signer{sign, func(alg string, message, signature []byte) bool {
		input, options := standard(alg, message)
		return ed25519.VerifyWithOptions(private.(ed25519.PrivateKey).Public().(ed25519.PublicKey), input, signature, options.(*ed25519.Options)) == nil
	}}
}

// standard is what the standard library signs for an algorithm. Of
// ED25519_PH_SHA_512 the message is hashed by the client, and once more by AWS.
func standard(alg string, message []byte) ([]byte, crypto.SignerOpts) {
	switch alg {
	case "ED25519_SHA_512":
		return message, &ed25519.Options{}
	case "ED25519_PH_SHA_512":
		once := sha512.Sum512(message)
		twice := sha512.Sum512(once[:])
		return twice[:], &ed25519.Options{Hash: crypto.SHA512}
	}
	h := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[len(alg)-3:]]
	if strings.HasPrefix(alg, "RSASSA_PSS_") {
		return sum(h, message), &rsa.PSSOptions{SaltLength: h.Size(), Hash: h}
	}
	return sum(h, message), h
}

func sum(h crypto.Hash, message []byte) []byte {
	hash := h.New()
	hash.Write(message)
	return hash.Sum(nil)
}

func outsideK1(t *testing.T, raw, public []byte) signer {
	var spki struct {
		Algorithm struct{ Key, Curve asn1.ObjectIdentifier }
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(public, &spki); err != nil {
		t.Fatal(err)
	}
	private := secp256k1.PrivKeyFromBytes(scalarOf(t, raw))
	key, err := secp256k1.ParsePubKey(spki.Key.Bytes)
	if err != nil || !key.IsEqual(private.PubKey()) {
		t.Fatalf("the public key is another: %v", err)
	}
	return signer{
		func(_ string, message []byte) []byte {
			return secp256k1ecdsa.Sign(private, sum(crypto.SHA256, message)).Serialize()
		},
		func(_ string, message, signature []byte) bool {
			parsed, err := secp256k1ecdsa.ParseDERSignature(signature)
			return err == nil && parsed.Verify(sum(crypto.SHA256, message), key)
		},
	}
}

func outsideSM2(t *testing.T, raw []byte) signer {
	private, err := sm2.NewPrivateKey(scalarOf(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return signer{
		func(_ string, message []byte) []byte {
			signature, err := private.Sign(rand.Reader, message, sm2.DefaultSM2SignerOpts)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		},
		func(_ string, message, signature []byte) bool {
			return sm2.VerifyASN1WithSM2(&private.PublicKey, nil, message, signature)
		},
	}
}

// scalarOf reads the private number out of a PKCS#8 of a curve that crypto/x509
// does not know.
func scalarOf(t *testing.T, raw []byte) []byte {
	var outer struct {
		Version   int
		Algorithm asn1.RawValue
		Private   []byte
	}
	var inner struct {
		Version int
		D       []byte
		Public  asn1.BitString `asn1:"optional,explicit,tag:1"`
	}
	if _, err := asn1.Unmarshal(raw, &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.Private, &inner); err != nil {
		t.Fatal(err)
	}
	return inner.D
}

// TestSign holds signatures against other implementations, both ways, for every
// algorithm and message type.
func TestSign(t *testing.T) {
	for _, spec := range []hsm.KeySpec{hsm.RSA2048, hsm.RSA3072, hsm.RSA4096, hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521,
		hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519, hsm.SM2} {
		t.Run(string(spec), func(t *testing.T) {
			f := newFixture(t)
			id, raw, public := f.known(spec, "SIGN_VERIFY")
			if got := f.do("GetPublicKey", m{"KeyId": id}); !bytes.Equal(got.bytes("PublicKey"), public) || got["KeySpec"] != string(spec) {
				t.Errorf("GetPublicKey answers %v", got)
			}
			other := outside(t, spec, raw, public)
			for _, name := range algorithm.SigningAlgorithms(spec) {
				alg, message := string(name), []byte("message for "+name)
				for _, request := range messageTypes(t, alg, public, message) {
					request["KeyId"], request["SigningAlgorithm"] = id, alg
					got := f.do("Sign", request)
					if got["KeyId"] != keyARN(id) || got["SigningAlgorithm"] != alg || !other.verify(alg, message, got.bytes("Signature")) {
						t.Errorf("%s: Sign answers %v, which does not verify outside", alg, got)
					}
					f.usedBy("Sign", id)
					f.checkVerify(request, got.bytes("Signature"))
					f.checkVerify(request, other.sign(alg, message))
				}
			}
		})
	}
}

// messageTypes are the requests that mean a message, by every message type that
// an algorithm takes.
func messageTypes(t *testing.T, alg string, public, message []byte) []m {
	plain := []m{{"Message": message}, {"Message": message, "MessageType": "RAW"}}
	switch alg {
	case "ED25519_SHA_512":
		return plain
	case "ED25519_PH_SHA_512":
		return []m{{"Message": sum(crypto.SHA512, message), "MessageType": "DIGEST"}}
	case "SM2DSA":
		d, err := algorithm.SM2Digest(public, message)
		if err != nil {
			t.Fatal(err)
		}
		return append(plain, m{"Message": d, "MessageType": "DIGEST"})
	}
	input, _ := standard(alg, message)
	return append(plain, m{"Message": input, "MessageType": "DIGEST"})
}

// checkVerify verifies a signature, and damaged ones.
func (f *fixture) checkVerify(request m, signature []byte) {
	f.Helper()
	verify := m{"Signature": signature}
	for name, value := range request {
		verify[name] = value
	}
	id, _ := request["KeyId"].(string)
	want := answer{"KeyId": keyARN(id), "SignatureValid": true, "SigningAlgorithm": request["SigningAlgorithm"]}
	if got := f.do("Verify", verify); fmt.Sprint(got) != fmt.Sprint(want) {
		f.Errorf("Verify answers %v", got)
	}
	f.usedBy("Verify", id)
	damaged := bytes.Clone(signature)
	damaged[len(damaged)/2] ^= 1
	for _, bad := range [][]byte{damaged, signature[1:], []byte("garbage"), append(bytes.Clone(signature), 0)} {
		verify["Signature"] = bad
		f.refuse("Verify", verify, "KMSInvalidSignatureException")
	}
	other := bytes.Clone(request["Message"].([]byte))
	other[0] ^= 1
	verify["Signature"], verify["Message"] = signature, other
	f.refuse("Verify", verify, "KMSInvalidSignatureException")
}

// TestSignMLDSA verifies signatures with filippo.io/mldsa; keys of ML-DSA cannot be
// imported, so there is no other way round.
func TestSignMLDSA(t *testing.T) {
	for spec, parameters := range map[string]mldsa.Parameters{
		"ML_DSA_44": mldsa.MLDSA44(), "ML_DSA_65": mldsa.MLDSA65(), "ML_DSA_87": mldsa.MLDSA87(),
	} {
		t.Run(spec, func(t *testing.T) {
			f := newFixture(t)
			id, _ := f.create(m{"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"})
			spki := f.do("GetPublicKey", m{"KeyId": id}).bytes("PublicKey")
			encoded := spki[len(spki)-parameters.PublicKeySize():] // the BIT STRING is last
			public, err := mldsa.NewPublicKey(parameters, encoded)
			if err != nil {
				t.Fatal(err)
			}
			message := []byte("message")
			for _, request := range []m{{"Message": message}, {"Message": mu(encoded, message), "MessageType": "EXTERNAL_MU"}} {
				request["KeyId"], request["SigningAlgorithm"] = id, "ML_DSA_SHAKE_256"
				signature := f.do("Sign", request).bytes("Signature")
				if len(signature) != parameters.SignatureSize() || mldsa.Verify(public, message, signature, nil) != nil {
					t.Errorf("a signature of %d bytes does not verify outside", len(signature))
				}
				f.checkVerify(request, signature)
			}
		})
	}
}

// mu is ML-DSA's message representative (FIPS 204 §6.2 and §5.2, step 6): pure, without a context.
func mu(public, message []byte) []byte {
	tr := make([]byte, 64)
	h := sha3.NewSHAKE256()
	h.Write(public)
	h.Read(tr)
	h.Reset()
	h.Write(tr)
	h.Write([]byte{0, 0})
	h.Write(message)
	out := make([]byte, 64)
	h.Read(out)
	return out
}

func TestSignRefusals(t *testing.T) {
	f := newFixture(t)
	rsaKey, _ := f.create(m{"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"})
	edwards, _ := f.create(m{"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"})
	lattice, _ := f.create(m{"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"})
	sm2Key, _ := f.create(m{"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"})
	for _, test := range []struct {
		key, alg, messageType string
		size                  int
		want                  string
	}{
		{rsaKey, "RSASSA_PSS_SHA_256", "DIGEST", 31, "ValidationException: Digest is invalid length for algorithm RSASSA_PSS_SHA_256."},
		{rsaKey, "RSASSA_PKCS1_V1_5_SHA_512", "DIGEST", 32, "ValidationException: Digest is invalid length for algorithm RSASSA_PKCS1_V1_5_SHA_512."},
		{rsaKey, "RSASSA_PSS_SHA_256", "EXTERNAL_MU", 64, "ValidationException: Message type EXTERNAL_MU is incompatible with key spec RSA_2048."},
		{rsaKey, "ECDSA_SHA_256", "RAW", 1, "InvalidKeyUsageException: Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048."},
		{edwards, "ED25519_SHA_512", "DIGEST", 64, "ValidationException: Message type DIGEST is incompatible with algorithm ED25519_SHA_512."},
		{edwards, "ED25519_PH_SHA_512", "RAW", 64, "ValidationException: Message type RAW is incompatible with algorithm ED25519_PH_SHA_512."},
		{edwards, "ED25519_PH_SHA_512", "DIGEST", 63, "ValidationException: Digest is invalid length for algorithm ED25519_PH_SHA_512."},
		{lattice, "ML_DSA_SHAKE_256", "DIGEST", 64, "ValidationException: Message type DIGEST is incompatible with key spec ML_DSA_44."},
		{lattice, "ML_DSA_SHAKE_256", "EXTERNAL_MU", 63, "ValidationException: Digest is invalid length for algorithm ML_DSA_SHAKE_256."},
		{sm2Key, "SM2DSA", "DIGEST", 33, "ValidationException: Digest is invalid length for algorithm SM2DSA."},
	} {
		request := m{"KeyId": test.key, "SigningAlgorithm": test.alg, "MessageType": test.messageType, "Message": make([]byte, test.size)}
		f.refuse("Sign", request, test.want)
		request["Signature"] = []byte("x")
		f.refuse("Verify", request, test.want)
	}
	want := `{"keyId":"` + sm2Key + `","messageType":"DIGEST","signingAlgorithm":"SM2DSA"}`
	if p := f.recorded(requestParameters); p != want {
		t.Errorf("Verify records %s", p)
	}
}
