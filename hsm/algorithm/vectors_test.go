package algorithm

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/cofre-kms/cofre/hsm"
)

// unhex reads hexadecimal digits, with spaces for people.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	must(t, err)
	return b
}

// ecKey makes the key of a private number.
func ecKey(t *testing.T, spec hsm.KeySpec, curve asn1.ObjectIdentifier, d string) *Key {
	t.Helper()
	der, err := marshalEC(curve, unhex(t, d), nil)
	must(t, err)
	k, err := Parse(spec, der)
	must(t, err)
	return k
}

func publicOf(t *testing.T, k *Key) []byte {
	t.Helper()
	der, err := k.Public()
	must(t, err)
	return der
}

// TestEd25519 has the first three vectors of RFC 8032 §7.1, and §7.3 with our own
// digest step in front.
func TestEd25519(t *testing.T) {
	for _, v := range []struct{ seed, public, message, signature string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
	} {
		k := edwards(t, v.seed)
		public := publicOf(t, k)
		if !bytes.HasSuffix(public, unhex(t, v.public)) {
			t.Errorf("the public key is %x", public)
		}
		signature, err := k.Sign(hsm.ED25519SHA512, unhex(t, v.message))
		must(t, err)
		if want := unhex(t, v.signature); !bytes.Equal(signature, want) {
			t.Errorf("the signature is %x, want %x", signature, want)
		}
		must(t, Verify(public, hsm.ECCNistEdwards25519, hsm.ED25519SHA512, unhex(t, v.message), signature))
	}
}

// TestEd25519ph: RFC 8032 §7.3 signs "abc". Ours signs a digest as a message, so
// the library gets that digest's hash.
func TestEd25519ph(t *testing.T) {
	k := edwards(t, "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
	const abc = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
	private := k.material.(*edwardsKey).private
	digest := unhex(t, `ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
		2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f`) // SHA-512 of abc
	message, options := edwardsInput(hsm.ED25519PH, []byte("abc"))
	if !bytes.Equal(message, digest) {
		t.Fatalf("the library gets %x", message)
	}
	signature, err := private.Sign(nil, message, options)
	must(t, err)
	if !bytes.Equal(signature, unhex(t, abc)) {
		t.Errorf("the signature is %x", signature)
	}
	signature, err = k.Sign(hsm.ED25519PH, digest)
	must(t, err)
	if bytes.Equal(signature, unhex(t, abc)) {
		t.Error("the digest is not hashed again")
	}
	must(t, Verify(publicOf(t, k), hsm.ECCNistEdwards25519, hsm.ED25519PH, digest, signature))
	wants(t, "as a message", Verify(publicOf(t, k), hsm.ECCNistEdwards25519, hsm.ED25519SHA512, digest, signature), ErrInvalidSignature)
}

func edwards(t *testing.T, seed string) *Key {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(unhex(t, seed)))
	must(t, err)
	k, err := Parse(hsm.ECCNistEdwards25519, der)
	must(t, err)
	return k
}

// TestHMAC has RFC 4231 §4.3, whose key of 4 bytes is padded to the length of
// ours: HMAC pads keys with zeros (RFC 2104 §2), so the answer is the same.
func TestHMAC(t *testing.T) {
	for spec, want := range map[hsm.KeySpec]string{
		hsm.HMAC224: "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
		hsm.HMAC256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		hsm.HMAC384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		hsm.HMAC512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	} {
		k, err := Parse(spec, append([]byte("Jefe"), make([]byte, SecretSize(spec)-4)...))
		must(t, err)
		tag, err := k.MAC(MACAlgorithmOf(spec), []byte("what do ya want for nothing?"))
		if err != nil || !bytes.Equal(tag, unhex(t, want)) {
			t.Errorf("%s: %x, %v", spec, tag, err)
		}
	}
}

// TestECDH has the first P-256 vector of NIST's CAVS "ECC CDH Primitive".
func TestECDH(t *testing.T) {
	d, err := ecdh.P256().NewPrivateKey(unhex(t, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"))
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(d)
	must(t, err)
	k, err := Parse(hsm.ECCNistP256, der)
	must(t, err)
	point, err := ecdh.P256().NewPublicKey(unhex(t, `04
		700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287
		db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac`))
	must(t, err)
	peer, err := x509.MarshalPKIXPublicKey(point)
	must(t, err)
	z, err := k.Agree(peer)
	if err != nil || !bytes.Equal(z, unhex(t, "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")) {
		t.Errorf("agreed on %x, %v", z, err)
	}
}

// TestSecp256k1 has the vector that Bitcoin libraries share for RFC 6979: the
// private number 1, SHA-256.
func TestSecp256k1(t *testing.T) {
	k := ecKey(t, hsm.ECCSecgP256K1, oidK1(), strings.Repeat("00", 31)+"01")
	public := publicOf(t, k)
	generator := unhex(t, `04 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798
		483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8`) // SEC 2 §2.4.1
	if !bytes.HasSuffix(public, generator) {
		t.Errorf("the public key is %x", public)
	}
	digest := sha256.Sum256([]byte("Satoshi Nakamoto"))
	der, err := k.Sign(hsm.ECDSASHA256, digest[:])
	must(t, err)
	var signature struct{ R, S *big.Int }
	must(t, unmarshal(der, &signature))
	if signature.R.Text(16) != "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8" ||
		signature.S.Text(16) != "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5" {
		t.Errorf("the signature is %x", der)
	}
	for _, bad := range []string{strings.Repeat("00", 32), "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"} {
		der, err := marshalEC(oidK1(), unhex(t, bad), nil)
		must(t, err)
		_, err = Parse(hsm.ECCSecgP256K1, der)
		wants(t, "a private number beyond the curve", err, hsm.ErrInvalidKey)
	}
}

const sm2Sample = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"

// TestSM2DSA has GB/T 32918.5 Annex A.2.
func TestSM2DSA(t *testing.T) {
	k := ecKey(t, hsm.SM2, oidSM2(), sm2Sample)
	public := publicOf(t, k)
	if !bytes.HasSuffix(public, unhex(t, `09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020
		ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13`)) {
		t.Errorf("the public key is %x", public)
	}
	digest, err := Digest(public, hsm.SM2, hsm.SM2DSA, []byte("message digest"))
	must(t, err)
	if !bytes.Equal(digest, unhex(t, "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")) {
		t.Errorf("the digest is %x", digest)
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(unhex(t, "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3")),
		new(big.Int).SetBytes(unhex(t, "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")),
	})
	must(t, err)
	must(t, Verify(public, hsm.SM2, hsm.SM2DSA, digest, signature))
}

// TestSM2PKE has GB/T 32918.5 Annex C.2, in the ASN.1 form of GM/T 0009.
func TestSM2PKE(t *testing.T) {
	k := ecKey(t, hsm.SM2, oidSM2(), sm2Sample)
	ciphertext, err := asn1.Marshal(sm2Ciphertext{
		new(big.Int).SetBytes(unhex(t, "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73")),
		new(big.Int).SetBytes(unhex(t, "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0")),
		unhex(t, "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"),
		unhex(t, "21886ca989ca9c7d58087307ca93092d651efa"),
	})
	must(t, err)
	plaintext, err := k.Open(hsm.SM2PKE, ciphertext)
	if err != nil || string(plaintext) != "encryption standard" {
		t.Errorf("opened %q, %v", plaintext, err)
	}
	random := ecKey(t, hsm.SM2, oidSM2(), "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21")
	own := k.material.(*sm2Key)
	x, y := split(own.point)
	again, ok, err := random.material.(*sm2Key).encryptTo(x, y, []byte("encryption standard"))
	if err != nil || !ok || !bytes.Equal(again, ciphertext) {
		t.Errorf("encrypted %x, %v", again, err)
	}
}

// TestSM2Library: the library opens what we encrypt, and we what it encrypts.
func TestSM2Library(t *testing.T) {
	k := newKey(t, hsm.SM2)
	text := []byte("a text so long that no key stream is zero by chance")
	ours, err := Encrypt(k.public, hsm.SM2, hsm.SM2PKE, text)
	must(t, err)
	private := k.material.(*sm2Key).private
	if got, err := sm2.Decrypt(private, ours); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the library opens %q, %v", got, err)
	}
	theirs, err := sm2.EncryptASN1(rand.Reader, &private.PublicKey, text)
	must(t, err)
	if got, err := k.Open(hsm.SM2PKE, theirs); err != nil || !bytes.Equal(got, text) {
		t.Errorf("opened %q, %v", got, err)
	}
}
