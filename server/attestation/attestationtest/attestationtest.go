// Package attestationtest is a hypervisor's public key infrastructure and an
// enclave, for tests: it makes documents that [attestation.Verifier] accepts once
// it trusts the root. Nothing but tests imports it.
package attestationtest

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

// Now is when documents are made where a Plan does not say otherwise.
var Now = time.Date(2026, 8, 10, 22, 38, 27, 0, time.UTC)

// Authority is a hypervisor's public key infrastructure: a root, one between, and
// the certificate that signs documents.
type Authority struct {
	Root   *x509.Certificate
	Bundle [][]byte // DER, the root first
	Leaf   []byte   // DER
	Key    *ecdsa.PrivateKey
	now    time.Time
}

// Plan says how an authority is made; the zero value is right.
type Plan struct {
	// Now is when the documents are made, certificates are valid from an hour
	// before; zero means the package's Now.
	Now           time.Time
	Curve         elliptic.Curve // of the key that signs documents
	Leaf, Between func(*x509.Certificate)
}

// New makes an authority.
func New(t testing.TB, p Plan) *Authority {
	t.Helper()
	if p.Now.IsZero() {
		p.Now = Now
	}
	rootKey, betweenKey := NewKey(t, elliptic.P384()), NewKey(t, elliptic.P384())
	root := template(p.Now, "aws.nitro-enclaves", 24*365*time.Hour, true)
	between := template(p.Now, "zone.nitro-enclaves", 24*time.Hour, true)
	leaf := template(p.Now, "i-0123.zone", 3*time.Hour, false)
	if p.Between != nil {
		p.Between(between)
	}
	if p.Leaf != nil {
		p.Leaf(leaf)
	}
	if p.Curve == nil {
		p.Curve = elliptic.P384()
	}
	a := &Authority{Key: NewKey(t, p.Curve), now: p.Now}
	rootDER := sign(t, root, root, rootKey, rootKey)
	a.Root = parse(t, rootDER)
	betweenDER := sign(t, between, a.Root, betweenKey, rootKey)
	a.Bundle = [][]byte{rootDER, betweenDER}
	a.Leaf = sign(t, leaf, parse(t, betweenDER), a.Key, betweenKey)
	return a
}

func template(now time.Time, name string, life time.Duration, authority bool) *x509.Certificate {
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

// NewKey makes a key on a curve.
func NewKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
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

// PEM answers the root as a configuration file holds it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw})
}

// Payload is the signed part of a document.
type Payload = map[string]any

// Payload answers the payload of a document as a hypervisor fills it.
func (a *Authority) Payload(t testing.TB) Payload {
	return Payload{
		"module_id": "i-0123-enc4567", "digest": "SHA384", "timestamp": uint64(a.now.UnixMilli()),
		"pcrs":        map[int][]byte{0: Fill(48, 0xa0), 1: Fill(48, 0xa1), 2: Fill(48, 0), 31: Fill(32, 0xff)},
		"certificate": a.Leaf, "cabundle": a.Bundle, "public_key": PublicKey(t), "user_data": nil, "nonce": nil,
	}
}

// Fill answers n bytes b.
func Fill(n int, b byte) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

// Enclave is the key of the enclave in all documents.
var Enclave = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// PublicKey is the public half of Enclave, DER.
func PublicKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&Enclave().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Message is a COSE_Sign1 in the making.
type Message struct {
	Protected   []byte
	Unprotected any
	Payload     []byte
	Signature   []byte
}

// Sign makes the message of a payload.
func (a *Authority) Sign(t testing.TB, payload any) *Message {
	t.Helper()
	m := &Message{Protected: Marshal(t, map[int]int{1: -35}), Unprotected: Payload{}, Payload: Marshal(t, payload)}
	digest := sha512.Sum384(Marshal(t, []any{"Signature1", m.Protected, []byte{}, m.Payload}))
	r, s, err := ecdsa.Sign(rand.Reader, a.Key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	size := (a.Key.Curve.Params().BitSize + 7) / 8
	m.Signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	return m
}

// Encode answers a document, untagged.
func (m *Message) Encode(t testing.TB) []byte {
	return Marshal(t, []any{m.Protected, m.Unprotected, m.Payload, m.Signature})
}

// Marshal answers CBOR.
func Marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
