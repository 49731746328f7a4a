package attestation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// now is when all documents of the tests are made and verified.
var now = time.Date(2026, 8, 10, 22, 38, 27, 0, time.UTC)

// authority is a hypervisor's public key infrastructure: a root, one between, and
// the certificate that signs documents.
type authority struct {
	root   *x509.Certificate
	bundle [][]byte
	leaf   []byte
	key    *ecdsa.PrivateKey
}

// plan says how an authority is made; the zero value is right.
type plan struct {
	curve         elliptic.Curve
	leaf, between func(*x509.Certificate)
}

func newAuthority(t testing.TB, p plan) *authority {
	t.Helper()
	rootKey, betweenKey := newKey(t, elliptic.P384()), newKey(t, elliptic.P384())
	root := template("aws.nitro-enclaves", 24*365*time.Hour, true)
	between := template("zone.nitro-enclaves", 24*time.Hour, true)
	leaf := template("i-0123.zone", 3*time.Hour, false)
	if p.between != nil {
		p.between(between)
	}
	if p.leaf != nil {
		p.leaf(leaf)
	}
	if p.curve == nil {
		p.curve = elliptic.P384()
	}
	a := &authority{key: newKey(t, p.curve)}
	rootDER := sign(t, root, root, rootKey, rootKey)
	a.root = parse(t, rootDER)
	betweenDER := sign(t, between, a.root, betweenKey, rootKey)
	a.bundle = [][]byte{rootDER, betweenDER}
	a.leaf = sign(t, leaf, parse(t, betweenDER), a.key, betweenKey)
	return a
}

func template(name string, life time.Duration, authority bool) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Country: []string{"US"}, Organization: []string{"Amazon"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life), BasicConstraintsValid: true, IsCA: authority,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if authority {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	return c
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pem answers the root as a configuration file holds it.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

type members = map[string]any

// members answers the payload of a document as a hypervisor fills it.
func (a *authority) members(t testing.TB) members {
	return members{
		"module_id": "i-0123-enc4567", "digest": "SHA384", "timestamp": uint64(now.UnixMilli()),
		"pcrs":        map[int][]byte{0: fill(48, 0xa0), 1: fill(48, 0xa1), 2: fill(48, 0), 31: fill(32, 0xff)},
		"certificate": a.leaf, "cabundle": a.bundle, "public_key": publicKey(t), "user_data": nil, "nonce": nil,
	}
}

func fill(n int, b byte) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

// enclave is the key of the enclave in all documents.
var enclave = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&enclave().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// sign1 is a COSE_Sign1 in the making.
type sign1 struct {
	protected   []byte
	unprotected any
	payload     []byte
	signature   []byte
}

// sign makes the message of a payload.
func (a *authority) sign(t testing.TB, payload any) *sign1 {
	t.Helper()
	m := &sign1{protected: marshal(t, map[int]int{1: -35}), unprotected: members{}, payload: marshal(t, payload)}
	digest := sha512.Sum384(marshal(t, []any{"Signature1", m.protected, []byte{}, m.payload}))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	size := (a.key.Curve.Params().BitSize + 7) / 8
	m.signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	return m
}

func (m *sign1) encode(t testing.TB) []byte {
	return marshal(t, []any{m.protected, m.unprotected, m.payload, m.signature})
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
