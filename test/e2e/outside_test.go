package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for crypto.Hash.New
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	kems "github.com/cloudflare/circl/kem/schemes"
	signatures "github.com/cloudflare/circl/sign/schemes"
	gmecdh "github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/smx509"
)

// outside is a key as somebody without Cofre has it: by its public key, and where
// it was imported by its material. The standard library, openssl and circl do what
// Cofre does, with the code of neither.
type outside struct {
	tool            openssl
	spec            types.KeySpec
	public, private []byte // SubjectPublicKeyInfo, and PKCS#8 or a secret
}

func (k *outside) is(prefix string) bool { return strings.HasPrefix(string(k.spec), prefix) }

// hashOf is the hash of an algorithm's name.
func hashOf(algorithm string) crypto.Hash {
	switch {
	case strings.HasSuffix(algorithm, "SHA_1"):
		return crypto.SHA1
	case strings.HasSuffix(algorithm, "384"):
		return crypto.SHA384
	case strings.HasSuffix(algorithm, "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

func digestOf(algorithm string, message []byte) []byte {
	h := hashOf(algorithm).New()
	h.Write(message)
	return h.Sum(nil)
}

var pssOptions = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

// verifies says whether a signature is one of a message.
func (k *outside) verifies(t *testing.T, algorithm types.SigningAlgorithmSpec, message, signature []byte) bool {
	t.Helper()
	name := string(algorithm)
	switch {
	case k.is("ML_DSA"):
		scheme := signatures.ByName(strings.ReplaceAll(string(k.spec), "_", "-"))
		public, err := scheme.UnmarshalBinaryPublicKey(rawKey(t, k.public))
		must(t, err)
		return scheme.Verify(public, message, signature, nil)
	case algorithm == types.SigningAlgorithmSpecEd25519PhSha512: // AWS's message is the digest, hashed once more
		digest := sha512.Sum512(digestOf(name, message))
		return ed25519.VerifyWithOptions(parsed[ed25519.PublicKey](t, k.public), digest[:], signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
	case strings.HasPrefix(name, "RSASSA_PSS"):
		return rsa.VerifyPSS(parsed[*rsa.PublicKey](t, k.public), hashOf(name), digestOf(name, message), signature, &pssOptions) == nil
	case strings.HasPrefix(name, "RSASSA_PKCS1"):
		return rsa.VerifyPKCS1v15(parsed[*rsa.PublicKey](t, k.public), hashOf(name), digestOf(name, message), signature) == nil
	case k.is("ECC_NIST_P"):
		return ecdsa.VerifyASN1(parsed[*ecdsa.PublicKey](t, k.public), digestOf(name, message), signature)
	}
	return k.opensslVerifies(message, signature)
}

// signs answers a signature of a message by the private key.
func (k *outside) signs(t *testing.T, algorithm types.SigningAlgorithmSpec, message []byte) []byte {
	t.Helper()
	name := string(algorithm)
	var options crypto.SignerOpts = hashOf(name)
	digest := digestOf(name, message)
	switch {
	case algorithm == types.SigningAlgorithmSpecEd25519PhSha512:
		again := sha512.Sum512(digest)
		digest, options = again[:], &ed25519.Options{Hash: crypto.SHA512}
	case strings.HasPrefix(name, "RSASSA_PSS"):
		pss := pssOptions
		pss.Hash = hashOf(name)
		options = &pss
	case !k.is("RSA") && !k.is("ECC_NIST_P"):
		return k.opensslSigns(message)
	}
	private, err := x509.ParsePKCS8PrivateKey(k.private)
	must(t, err)
	signature, err := private.(crypto.Signer).Sign(rand.Reader, digest, options)
	must(t, err)
	return signature
}

// encrypts encrypts to the public key.
func (k *outside) encrypts(t *testing.T, algorithm types.EncryptionAlgorithmSpec, plaintext []byte) []byte {
	t.Helper()
	if k.is("SM2") {
		k.tool.with(map[string][]byte{"public": k.public, "plaintext": plaintext})
		k.tool.must("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public", "-in", "plaintext", "-out", "ciphertext")
		return k.tool.read("ciphertext")
	}
	ciphertext, err := rsa.EncryptOAEP(hashOf(string(algorithm)).New(), rand.Reader, parsed[*rsa.PublicKey](t, k.public), plaintext, nil)
	must(t, err)
	return ciphertext
}

// decrypts decrypts with the private key.
func (k *outside) decrypts(t *testing.T, algorithm types.EncryptionAlgorithmSpec, ciphertext []byte) []byte {
	t.Helper()
	if k.is("SM2") {
		k.tool.with(map[string][]byte{"private": k.private, "ciphertext": ciphertext})
		k.tool.must("pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", "private", "-in", "ciphertext", "-out", "plaintext")
		return k.tool.read("plaintext")
	}
	private, err := x509.ParsePKCS8PrivateKey(k.private)
	must(t, err)
	plaintext, err := rsa.DecryptOAEP(hashOf(string(algorithm)).New(), nil, private.(*rsa.PrivateKey), ciphertext, nil)
	must(t, err)
	return plaintext
}

// macs answers the HMAC of a message.
func (k *outside) macs(algorithm types.MacAlgorithmSpec, message []byte) []byte {
	h := map[types.MacAlgorithmSpec]func() hash.Hash{
		"HMAC_SHA_224": sha256.New224, "HMAC_SHA_256": sha256.New, "HMAC_SHA_384": sha512.New384, "HMAC_SHA_512": sha512.New,
	}[algorithm]
	m := hmac.New(h, k.private)
	m.Write(message)
	return m.Sum(nil)
}

// agrees makes a key of its own, and answers its public key and the secret that
// it shares with k.
func (k *outside) agrees(t *testing.T) (public, secret []byte) {
	t.Helper()
	if k.is("SM2") { // gmsm has the curve, as the standard library has its own
		own, err := gmecdh.P256().GenerateKey(rand.Reader)
		must(t, err)
		theirs, err := gmecdh.P256().NewPublicKey(rawKey(t, k.public))
		must(t, err)
		secret, err := own.ECDH(theirs)
		must(t, err)
		public, err := smx509.MarshalPKIXPublicKey(own.PublicKey())
		must(t, err)
		return public, secret
	}
	theirs, err := parsed[*ecdsa.PublicKey](t, k.public).ECDH()
	must(t, err)
	own, err := theirs.Curve().GenerateKey(rand.Reader)
	must(t, err)
	secret, err = own.ECDH(theirs)
	must(t, err)
	public, err = x509.MarshalPKIXPublicKey(own.PublicKey())
	must(t, err)
	return public, secret
}

// encapsulates answers a secret, and the ciphertext that has it for k.
func (k *outside) encapsulates(t *testing.T) (secret, ciphertext []byte) {
	t.Helper()
	scheme := kems.ByName(strings.ReplaceAll(string(k.spec), "_", "-"))
	public, err := scheme.UnmarshalBinaryPublicKey(rawKey(t, k.public))
	must(t, err)
	ciphertext, secret, err = scheme.Encapsulate(public)
	must(t, err)
	return secret, ciphertext
}

func parsed[K any](t *testing.T, public []byte) K {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(public)
	must(t, err)
	return key.(K)
}

// rawKey answers the key in a SubjectPublicKeyInfo.
func rawKey(t *testing.T, public []byte) []byte {
	t.Helper()
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(public, &info)
	must(t, err)
	return info.Key.Bytes
}

func publicOf(private any) crypto.PublicKey { return private.(crypto.Signer).Public() }
