package hsmtest

import (
	"bytes"
	"crypto/ecdh"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest/vectors"
)

// Holder is where the keys of published vectors are brought to: a partition, or
// the API over one.
type Holder interface {
	// Can says whether keys of a spec can be brought in.
	Can(spec hsm.KeySpec) bool
	// Bring imports material for a use, an AWS KMS KeyUsage.
	Bring(spec hsm.KeySpec, use string, material []byte) (Held, error)
	// Refused says whether an error is the right one for input that is invalid.
	Refused(err error) bool
}

// Held is a key that was brought in.
type Held interface {
	Public() []byte // SubjectPublicKeyInfo
	Sign(alg hsm.SigningAlgorithm, message []byte) ([]byte, error)
	Open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error)
	MAC(message []byte) ([]byte, error)
	VerifyMAC(message, tag []byte) error
	Agree(peer []byte) ([]byte, error)
	Decapsulate(ciphertext []byte) ([]byte, error)
}

// ErrNoRequest is what a Held answers where the API has no request for a vector:
// it takes no empty messages.
var ErrNoRequest = errors.New("the API has no such request")

// Published runs the vectors that need a private or secret key: what is valid is
// done, with the published result, and what is invalid is refused. README.md of
// package vectors says what we make of the rest.
func Published(t *testing.T, h Holder) {
	for name, run := range map[string]func(published){
		"HMAC": published.hmac, "OAEP": published.oaep, "PKCS1": published.pkcs1, "ECDH": published.ecdh,
		"ML-DSA": published.mldsa, "ML-KEM": published.mlkem,
	} {
		t.Run(name, func(t *testing.T) { run(published{t, h}) })
	}
}

type published struct {
	*testing.T
	holder Holder
}

// bring imports a key, or answers nil where it is to be refused and is.
func (p published) bring(what string, spec hsm.KeySpec, use string, material []byte, good bool) Held {
	p.Helper()
	key, err := p.holder.Bring(spec, use, material)
	switch {
	case good && err != nil:
		p.Errorf("%s: importing: %v", what, err)
		return nil
	case !good && (err == nil || !p.holder.Refused(err)):
		p.Errorf("%s: importing answers %v, want a refusal", what, err)
		return nil
	case !good:
		return nil
	}
	return key
}

// answers checks one result: the published one, or a refusal.
func (p published) answers(what string, got []byte, err error, good bool, want []byte) {
	p.Helper()
	switch {
	case good && (err != nil || !bytes.Equal(got, want)):
		p.Errorf("%s: %x, %v; want %x", what, got, err, want)
	case !good && (err == nil || !p.holder.Refused(err)):
		p.Errorf("%s: %x, %v; want a refusal", what, got, err)
	}
}

// hmac: keys have the length of what they answer, and tags are whole.
func (p published) hmac() {
	for name, spec := range map[string]hsm.KeySpec{
		"224": hsm.HMAC224, "256": hsm.HMAC256, "384": hsm.HMAC384, "512": hsm.HMAC512,
	} {
		file := "wycheproof_hmac_sha" + name
		keys := make(map[string]Held)
		for _, g := range vectors.Load(p, file) {
			fits, whole := g.KeySize == 8*algorithm.SecretSize(spec), g.TagSize == 8*algorithm.SecretSize(spec)
			for _, v := range g.Tests {
				what := file + ", " + v.String()
				key, known := keys[string(v.Key)]
				if !known {
					key = p.bring(what, spec, "GENERATE_VERIFY_MAC", v.Key, fits)
					keys[string(v.Key)] = key
				}
				if key == nil {
					continue
				}
				mac, err := key.MAC(v.Message)
				if errors.Is(err, ErrNoRequest) {
					continue
				}
				if err != nil || bytes.HasPrefix(mac, v.Tag) != (v.Result == vectors.Valid) {
					p.Errorf("%s: %x, %v", what, mac, err)
				}
				err = key.VerifyMAC(v.Message, v.Tag)
				p.answers(what, nil, err, whole && v.Result == vectors.Valid, nil)
			}
		}
	}
}

func rsaSpec(bits int) hsm.KeySpec { return hsm.KeySpec(fmt.Sprintf("RSA_%d", bits)) }

// oaep: there are no labels.
func (p published) oaep() {
	for _, file := range []string{
		"oaep_2048_sha1_mgf1sha1", "oaep_2048_sha256_mgf1sha256", "oaep_3072_sha256_mgf1sha256", "oaep_4096_sha256_mgf1sha256", "oaep_misc",
	} {
		for i, g := range vectors.Load(p, "wycheproof_rsa_"+file) {
			what := fmt.Sprintf("%s, group %d of %d bits", file, i, g.KeySize)
			spec := rsaSpec(g.KeySize)
			known := algorithm.EncryptionAlgorithms(spec) != nil
			if !known {
				spec = hsm.RSA2048
			}
			key := p.bring(what, spec, "ENCRYPT_DECRYPT", g.Private, known)
			if key == nil {
				continue
			}
			alg := map[string]hsm.EncryptionAlgorithm{"SHA-1": hsm.RSAOAEPSHA1, "SHA-256": hsm.RSAOAEPSHA256}[g.Hash]
			for _, v := range g.Tests {
				got, err := key.Open(alg, v.Ciphertext)
				p.answers(what+", "+v.String(), got, err, v.Result == vectors.Valid && len(v.Label) == 0, v.Message)
			}
		}
	}
}

// pkcs1: these signatures are deterministic (RFC 8017 §8.2.1). Keys with the small
// exponent 3 are taken.
func (p published) pkcs1() {
	for _, bits := range []int{2048, 3072, 4096} {
		file := fmt.Sprintf("wycheproof_rsa_pkcs1_%d_sig_gen", bits)
		keys := make(map[string]Held)
		for _, g := range vectors.Load(p, file) {
			key, known := keys[string(g.Private)]
			if !known {
				key = p.bring(file, rsaSpec(bits), "SIGN_VERIFY", g.Private, true)
				keys[string(g.Private)] = key
			}
			if key == nil {
				continue
			}
			alg := hsm.SigningAlgorithm("RSASSA_PKCS1_V1_5_" + strings.ReplaceAll(g.Hash, "-", "_"))
			for _, v := range g.Tests {
				got, err := key.Sign(alg, v.Message)
				p.answers(file+", "+v.String(), got, err, true, v.Signature)
			}
		}
	}
}

// ecdh: a peer's key is a SubjectPublicKeyInfo in DER, of a named curve, with an
// uncompressed point. What is only acceptable is none.
func (p published) ecdh() {
	for file, curve := range map[string]struct {
		spec  hsm.KeySpec
		curve ecdh.Curve
		size  int
	}{
		"wycheproof_ecdh_secp256r1": {hsm.ECCNistP256, ecdh.P256(), 32},
		"wycheproof_ecdh_secp384r1": {hsm.ECCNistP384, ecdh.P384(), 48},
		"wycheproof_ecdh_secp521r1": {hsm.ECCNistP521, ecdh.P521(), 66},
	} {
		keys := make(map[string]Held)
		for _, g := range vectors.Load(p, file) {
			for _, v := range g.Tests {
				what := file + ", " + v.String()
				key, known := keys[string(v.Private)]
				if !known {
					key = p.bring(what, curve.spec, "KEY_AGREEMENT", pkcs8Of(p, curve.curve, v.Private, curve.size), true)
					keys[string(v.Private)] = key
				}
				if key == nil {
					continue
				}
				got, err := key.Agree(v.Public)
				p.answers(what, got, err, v.Result == vectors.Valid, v.Shared)
			}
		}
	}
}

// pkcs8Of encodes a scalar, which may be shorter than size or have a zero in
// front.
func pkcs8Of(t testing.TB, curve ecdh.Curve, scalar []byte, size int) []byte {
	t.Helper()
	whole := append(make([]byte, size), scalar...)
	private, err := curve.NewPrivateKey(whole[len(whole)-size:])
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return der
}

// mldsa: a seed's public key verifies the published signatures. Ours are others:
// they are hedged (FIPS 204 §3.4).
func (p published) mldsa() {
	for name, spec := range map[string]hsm.KeySpec{"44": hsm.MLDSA44, "65": hsm.MLDSA65, "87": hsm.MLDSA87} {
		if !p.holder.Can(spec) {
			continue
		}
		for _, g := range vectors.Load(p, "wycheproof_mldsa_"+name+"_sign_seed") {
			p.mldsaGroup(spec, g)
		}
		for _, v := range vectors.Load(p, "nist_mldsa"+name+"_keygen")[0].Tests {
			key := p.bring(v.String(), spec, "SIGN_VERIFY", withSeed(p, spec, v.Seed), true)
			if key != nil && !bytes.HasSuffix(key.Public(), v.Public) {
				p.Errorf("%s, %s: the public key is %x", spec, &v, key.Public())
			}
		}
	}
}

func (p published) mldsaGroup(spec hsm.KeySpec, g vectors.Group) {
	p.Helper()
	key := p.bring(g.Tests[0].String(), spec, "SIGN_VERIFY", withSeed(p, spec, g.Seed), len(g.Seed) == 32)
	for _, v := range g.Tests {
		if key == nil || v.Result == vectors.Invalid { // a context that nothing here takes
			continue
		}
		if err := algorithm.Verify(key.Public(), spec, hsm.MLDSAShake256, v.Mu, v.Signature); err != nil {
			p.Errorf("%s, %s: %v", spec, &v, err)
		}
		ours, err := key.Sign(hsm.MLDSAShake256, v.Message)
		must(p, err)
		mu, err := algorithm.Mu(key.Public(), v.Message)
		must(p, err)
		if err := algorithm.Verify(key.Public(), spec, hsm.MLDSAShake256, mu, ours); err != nil {
			p.Errorf("%s, %s: our signature: %v", spec, &v, err)
		}
	}
}

// withSeed makes the PKCS#8 of a seed, which ends in it (RFC 9881 §6, RFC 9935 §6).
func withSeed(t testing.TB, spec hsm.KeySpec, seed []byte) []byte {
	t.Helper()
	der, _, err := algorithm.Generate(spec)
	must(t, err)
	size := map[bool]int{true: 64, false: 32}[algorithm.Encapsulates(spec)]
	return append(der[:len(der)-size], seed...)
}

// mlkem: a ciphertext of the right length always gives a secret, by implicit
// rejection (FIPS 203 §6.3).
func (p published) mlkem() {
	for name, spec := range map[string]hsm.KeySpec{"512": hsm.MLKEM512, "768": hsm.MLKEM768, "1024": hsm.MLKEM1024} {
		if !p.holder.Can(spec) {
			continue
		}
		for _, g := range vectors.Load(p, "wycheproof_mlkem_"+name) {
			for _, v := range g.Tests {
				what := string(spec) + ", " + v.String()
				key := p.bring(what, spec, "ENCAPSULATE_DECAPSULATE", withSeed(p, spec, v.Seed), len(v.Seed) == 64)
				if key == nil {
					continue
				}
				got, err := key.Decapsulate(v.Encapsulated)
				p.answers(what, got, err, v.Result == vectors.Valid, v.Secret)
			}
		}
		for _, v := range vectors.Load(p, "nist_mlkem"+name+"_keygen")[0].Tests {
			key := p.bring(v.String(), spec, "ENCAPSULATE_DECAPSULATE", withSeed(p, spec, v.Seed), true)
			if key != nil && !bytes.HasSuffix(key.Public(), v.Encapsulation) {
				p.Errorf("%s, %s: the public key is %x", spec, &v, key.Public())
			}
		}
	}
}
