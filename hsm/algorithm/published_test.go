package algorithm

import (
	"crypto/sha3"
	"errors"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest/vectors"
)

// Everything here needs no more than a public key, so it is the same whatever
// partition the private key is in. What needs a private key is in
// hsmtest.Published, for every partition.

// signatures are the files of signatures.
var signatures = []struct {
	file string
	spec hsm.KeySpec
	alg  hsm.SigningAlgorithm
}{
	{"wycheproof_ecdsa_secp256r1_sha256", hsm.ECCNistP256, hsm.ECDSASHA256},
	{"wycheproof_ecdsa_secp384r1_sha384", hsm.ECCNistP384, hsm.ECDSASHA384},
	{"wycheproof_ecdsa_secp521r1_sha512", hsm.ECCNistP521, hsm.ECDSASHA512},
	{"wycheproof_ecdsa_secp256k1_sha256", hsm.ECCSecgP256K1, hsm.ECDSASHA256},
	{"wycheproof_ed25519", hsm.ECCNistEdwards25519, hsm.ED25519SHA512},
	{"wycheproof_rsa_signature_2048_sha256", hsm.RSA2048, hsm.RSAPKCS1SHA256},
	{"wycheproof_rsa_signature_2048_sha384", hsm.RSA2048, hsm.RSAPKCS1SHA384},
	{"wycheproof_rsa_signature_2048_sha512", hsm.RSA2048, hsm.RSAPKCS1SHA512},
	{"wycheproof_rsa_signature_3072_sha256", hsm.RSA3072, hsm.RSAPKCS1SHA256},
	{"wycheproof_rsa_signature_3072_sha384", hsm.RSA3072, hsm.RSAPKCS1SHA384},
	{"wycheproof_rsa_signature_3072_sha512", hsm.RSA3072, hsm.RSAPKCS1SHA512},
	{"wycheproof_rsa_signature_4096_sha256", hsm.RSA4096, hsm.RSAPKCS1SHA256},
	{"wycheproof_rsa_signature_4096_sha384", hsm.RSA4096, hsm.RSAPKCS1SHA384},
	{"wycheproof_rsa_signature_4096_sha512", hsm.RSA4096, hsm.RSAPKCS1SHA512},
	{"wycheproof_rsa_pss_2048_sha256_mgf1_32", hsm.RSA2048, hsm.RSAPSSSHA256},
	{"wycheproof_rsa_pss_2048_sha256_mgf1_0", hsm.RSA2048, hsm.RSAPSSSHA256},
	{"wycheproof_rsa_pss_2048_sha384_mgf1_48", hsm.RSA2048, hsm.RSAPSSSHA384},
	{"wycheproof_rsa_pss_3072_sha256_mgf1_32", hsm.RSA3072, hsm.RSAPSSSHA256},
	{"wycheproof_rsa_pss_4096_sha384_mgf1_48", hsm.RSA4096, hsm.RSAPSSSHA384},
	{"wycheproof_rsa_pss_4096_sha512_mgf1_64", hsm.RSA4096, hsm.RSAPSSSHA512},
	{"wycheproof_rsa_pss_misc", hsm.RSA2048, hsm.RSAPSSSHA256},
	{"nist_ecdsa_p256", hsm.ECCNistP256, hsm.ECDSASHA256},
	{"nist_ecdsa_p384", hsm.ECCNistP384, hsm.ECDSASHA384},
	{"nist_ecdsa_p521", hsm.ECCNistP521, hsm.ECDSASHA512},
}

// TestPublishedSignatures verifies what is valid, and nothing else.
func TestPublishedSignatures(t *testing.T) {
	for _, f := range signatures {
		t.Run(f.file, func(t *testing.T) {
			for _, g := range vectors.Load(t, f.file) {
				for _, v := range g.Tests {
					want := v.Result == vectors.Valid
					if pss(f.alg) && !ourPSS(g, f.alg) {
						want = v.Comment == "s_len changed to 32" // to ours
					}
					checkSignature(t, f.spec, f.alg, g.Public, v, want)
				}
			}
		})
	}
}

// ourPSS says whether a group has the hashes and the salt of an algorithm.
func ourPSS(g vectors.Group, alg hsm.SigningAlgorithm) bool {
	h := signatureHash(alg)
	return g.Hash == h.String() && g.MGFHash == h.String() && g.Salt == h.Size()
}

// checkSignature verifies one signature of a message. Acceptable ones are refused: they
// are in no encoding that we make (RFC 8017 §8.2.2 compares encodings).
func checkSignature(t *testing.T, spec hsm.KeySpec, alg hsm.SigningAlgorithm, public []byte, v vectors.Test, want bool) {
	t.Helper()
	digest, err := Digest(public, spec, alg, v.Message)
	must(t, err)
	err = Verify(public, spec, alg, digest, v.Signature)
	switch {
	case want && err != nil:
		t.Errorf("%s: %v", &v, err)
	case !want && !errors.Is(err, ErrInvalidSignature) && !errors.Is(err, hsm.ErrInvalidKey):
		t.Errorf("%s: got %v, want a refusal", &v, err)
	}
}

// TestPublishedPKCS1 has the signatures of CAVP, whose key sizes and hashes are
// in one file.
func TestPublishedPKCS1(t *testing.T) {
	for _, g := range vectors.Load(t, "nist_rsa_pkcs1") {
		spec := map[int]hsm.KeySpec{2048: hsm.RSA2048, 3072: hsm.RSA3072}[g.KeySize]
		alg := hsm.SigningAlgorithm("RSASSA_PKCS1_V1_5_" + strings.ReplaceAll(g.Hash, "-", "_"))
		for _, v := range g.Tests {
			checkSignature(t, spec, alg, g.Public, v, v.Result == vectors.Valid)
		}
	}
}

var mldsaSpecs = map[string]hsm.KeySpec{"44": hsm.MLDSA44, "65": hsm.MLDSA65, "87": hsm.MLDSA87}

// TestPublishedMLDSA verifies Wycheproof's signatures. Those with a context are verified
// over mu, as a client has to who wants one.
func TestPublishedMLDSA(t *testing.T) {
	for name, spec := range mldsaSpecs {
		contexts := 0
		for _, g := range vectors.Load(t, "wycheproof_mldsa_"+name+"_verify") {
			for _, v := range g.Tests {
				if len(v.Context) > 255 { // FIPS 204 §5.2: there is no such mu
					continue
				}
				if len(v.Context) > 0 {
					contexts++
				}
				mu := muOf(keyIn(g.Public, spec), append([]byte{0, byte(len(v.Context))}, v.Context...), v.Message)
				checkMu(t, spec, g.Public, mu, v)
			}
		}
		if contexts == 0 {
			t.Errorf("ML-DSA-%s: no context", name)
		}
	}
}

// TestPublishedMLDSAInternal has the signatures of ACVP, whose messages are M′ of
// FIPS 204 §6.3.
func TestPublishedMLDSAInternal(t *testing.T) {
	for name, spec := range mldsaSpecs {
		for _, g := range vectors.Load(t, "nist_mldsa"+name+"_verify") {
			for _, v := range g.Tests {
				public, err := marshalSPKI(oidMLDSA(spec), nil, v.Public)
				must(t, err)
				checkMu(t, spec, public, muOf(v.Public, nil, v.Message), v)
			}
		}
	}
}

// keyIn answers the raw key at the end of a SubjectPublicKeyInfo, which may have another
// length than spec's.
func keyIn(public []byte, spec hsm.KeySpec) []byte {
	key, err := parseSPKI(public, oidMLDSA(spec), nil)
	if err != nil {
		return nil
	}
	return key
}

// muOf is FIPS 204 §6.2: H(H(pk) ‖ M′).
func muOf(public, prefix, message []byte) []byte {
	tr := sha3.SumSHAKE256(public, 64)
	h := sha3.NewSHAKE256()
	for _, part := range [][]byte{tr, prefix, message} {
		_, _ = h.Write(part) // never fails
	}
	mu := make([]byte, MuSize)
	_, _ = h.Read(mu) // never fails
	return mu
}

func checkMu(t *testing.T, spec hsm.KeySpec, public, mu []byte, v vectors.Test) {
	t.Helper()
	err := Verify(public, spec, hsm.MLDSAShake256, mu, v.Signature)
	if v.Result == vectors.Valid && err != nil {
		t.Errorf("%s, %s: %v", spec, &v, err)
	}
	if v.Result != vectors.Valid && !errors.Is(err, ErrInvalidSignature) && !errors.Is(err, hsm.ErrInvalidKey) {
		t.Errorf("%s, %s: got %v, want a refusal", spec, &v, err)
	}
}

// TestPublishedEncapsulationKeys: who encapsulates refuses a key that is none
// (FIPS 203 §7.2).
func TestPublishedEncapsulationKeys(t *testing.T) {
	for name, spec := range map[string]hsm.KeySpec{"512": hsm.MLKEM512, "768": hsm.MLKEM768, "1024": hsm.MLKEM1024} {
		refused := 0
		for _, g := range vectors.Load(t, "wycheproof_mlkem_"+name+"_encaps") {
			for _, v := range g.Tests {
				public, err := marshalSPKI(oidMLKEM(spec), nil, v.Encapsulation)
				must(t, err)
				_, _, err = Encapsulate(public, spec)
				if (err == nil) != (v.Result == vectors.Valid) || err != nil && !errors.Is(err, hsm.ErrInvalidKey) {
					t.Errorf("%s, %s: %v", spec, &v, err)
				}
				if err != nil {
					refused++
				}
			}
		}
		if refused == 0 {
			t.Errorf("%s: nothing is refused", spec)
		}
	}
}
