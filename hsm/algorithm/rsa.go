package algorithm

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for crypto.Hash.New
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/cofre-kms/cofre/hsm"
)

type rsaKey struct {
	spec    hsm.KeySpec
	private *rsa.PrivateKey
}

type rsaPublic struct{ key *rsa.PublicKey }

// modulusBits is the length of an RSA_… key's modulus.
func modulusBits(spec hsm.KeySpec) int {
	switch spec {
	case hsm.RSA2048:
		return 2048
	case hsm.RSA3072:
		return 3072
	case hsm.RSA4096:
		return 4096
	default:
		return 0
	}
}

func generateRSA(spec hsm.KeySpec) (material, error) {
	key, err := rsa.GenerateKey(rand.Reader, modulusBits(spec))
	if err != nil {
		return nil, err
	}
	return &rsaKey{spec, key}, nil
}

func parseRSA(spec hsm.KeySpec, raw []byte) (material, error) {
	parsed, err := parseStandard(raw) // validates
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() != modulusBits(spec) || len(key.Primes) != 2 {
		return nil, errors.New("not an RSA key of this length")
	}
	return &rsaKey{spec, key}, nil
}

func parsePublicRSA(spec hsm.KeySpec, der []byte) (publicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != modulusBits(spec) {
		return nil, errors.New("not an RSA key of this length")
	}
	return rsaPublic{key}, nil
}

func (k *rsaKey) marshal() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }
func (k *rsaKey) public() ([]byte, error)  { return x509.MarshalPKIXPublicKey(&k.private.PublicKey) }

// wipe reaches the numbers; the standard library keeps copies of its own.
func (k *rsaKey) wipe() {
	pre := &k.private.Precomputed
	for _, n := range append([]*big.Int{k.private.D, pre.Dp, pre.Dq, pre.Qinv}, k.private.Primes...) {
		wipeInt(n)
	}
}

func (k *rsaKey) sign(alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	h := signatureHash(alg)
	if pss(alg) {
		return rsa.SignPSS(rand.Reader, k.private, h, digest, pssOptions())
	}
	return rsa.SignPKCS1v15(nil, k.private, h, digest)
}

func (p rsaPublic) verify(alg hsm.SigningAlgorithm, digest, signature []byte) bool {
	h := signatureHash(alg)
	if pss(alg) {
		return rsa.VerifyPSS(p.key, h, digest, signature, pssOptions()) == nil
	}
	return rsa.VerifyPKCS1v15(p.key, h, digest, signature) == nil
}

func pss(alg hsm.SigningAlgorithm) bool {
	return alg == hsm.RSAPSSSHA256 || alg == hsm.RSAPSSSHA384 || alg == hsm.RSAPSSSHA512
}

// pssOptions are AWS's: the salt is as long as the digest, MGF1 has its hash.
func pssOptions() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
}

// oaepHash is the hash of OAEP and its MGF1, 0 for another algorithm.
func oaepHash(alg hsm.EncryptionAlgorithm) crypto.Hash {
	switch alg {
	case hsm.RSAOAEPSHA1:
		return crypto.SHA1
	case hsm.RSAOAEPSHA256:
		return crypto.SHA256
	default:
		return 0
	}
}

func (k *rsaKey) open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	if !slices.Contains(EncryptionAlgorithms(k.spec), alg) {
		return nil, fmt.Errorf("opening by %s with key spec %s: %w", alg, k.spec, hsm.ErrUnsupported)
	}
	if len(ciphertext) != k.private.Size() { // RFC 8017 §7.1.2 step 1b; the library takes shorter ones
		return nil, hsm.ErrInvalidCiphertext
	}
	plaintext, err := rsa.DecryptOAEP(oaepHash(alg).New(), nil, k.private, ciphertext, nil)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

func (p rsaPublic) encrypt(alg hsm.EncryptionAlgorithm, plaintext []byte) ([]byte, error) {
	return rsa.EncryptOAEP(oaepHash(alg).New(), rand.Reader, p.key, plaintext, nil)
}
