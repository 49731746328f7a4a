package attestation_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/server/attestation"
)

func verifier(t testing.TB, a *authority) *attestation.Verifier {
	t.Helper()
	v, err := attestation.NewVerifier(a.pem())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	a := newAuthority(t, plan{})
	document := a.sign(t, a.members(t)).encode(t)
	for name, signed := range map[string][]byte{"untagged": document, "tagged": append([]byte{0xd2}, document...)} {
		got, err := verifier(t, a).Verify(signed, now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.ModuleID != "i-0123-enc4567" || !got.Time.Equal(now) || len(got.PCRs) != 4 || got.NitroTPM != nil ||
			!bytes.Equal(got.PCRs[31], fill(32, 0xff)) || !got.Recipient.Equal(&enclave().PublicKey) || got.UserData != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if want := strings.Repeat("a0", 48); got.ImageDigest() != want {
			t.Errorf("image digest %s", got.ImageDigest())
		}
	}
}

// TestOptionalMembers leaves out and adds what a document may have.
func TestOptionalMembers(t *testing.T) {
	a := newAuthority(t, plan{})
	payload := a.members(t)
	delete(payload, "public_key")
	delete(payload, "user_data")
	payload["nonce"] = fill(1024, 7)
	payload["of_a_newer_hypervisor"] = []int{1, 2}
	got, err := verifier(t, a).Verify(a.sign(t, payload).encode(t), now)
	if err != nil || got.Recipient != nil || len(got.Nonce) != 1024 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := got.Seal([]byte("x")); !errors.Is(err, attestation.ErrNoRecipient) {
		t.Errorf("sealing to nobody: %v", err)
	}
	payload = a.members(t)
	payload["nitrotpm_pcrs"] = payload["pcrs"]
	delete(payload, "pcrs")
	got, err = verifier(t, a).Verify(a.sign(t, payload).encode(t), now)
	if err != nil || len(got.NitroTPM) != 4 || got.PCRs != nil || got.ImageDigest() != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMalformed gives each member every wrong value that the specification rules
// out.
func TestMalformed(t *testing.T) {
	a := newAuthority(t, plan{})
	v := verifier(t, a)
	many := map[int][]byte{}
	for i := range 33 {
		many[i] = fill(48, 1)
	}
	wrong := map[string][]any{
		"module_id":   {nil, "", 1, []byte("i-0")},
		"digest":      {nil, "SHA256", "sha384", []byte("SHA384")},
		"timestamp":   {nil, 0, -1, "2026", 1.5, uint64(1) << 63},
		"pcrs":        {nil, many, map[int][]byte{}, map[int][]byte{32: fill(48, 1)}, map[int][]byte{-1: fill(48, 1)}, map[string][]byte{"0": fill(48, 1)}, map[int][]byte{0: fill(47, 1)}, map[int][]byte{0: fill(80, 1)}, map[int]string{0: strings.Repeat("a", 48)}, [][]byte{fill(48, 1)}},
		"certificate": {nil, []byte{}, fill(1025, 0x30), "x", []byte("no certificate"), a.bundle[1]},
		"cabundle":    {nil, [][]byte{}, []any{""}, [][]byte{{}}, [][]byte{fill(1025, 1)}, [][]byte{{1}}, [][]byte{a.leaf}, a.bundle[:1], make([][]byte, 9)},
		"public_key":  {[]byte{}, "x", fill(1025, 1), fill(100, 1), x509.MarshalPKCS1PublicKey(&enclave().PublicKey), ecKey(t)},
		"user_data":   {fill(1025, 1), "text", 1},
		"nonce":       {fill(1025, 1), "text", []int{1}},
	}
	for member, values := range wrong {
		for _, value := range values {
			payload := maps.Clone(a.members(t))
			payload[member] = value
			if got, err := v.Verify(a.sign(t, payload).encode(t), now); !errors.Is(err, attestation.ErrInvalid) {
				t.Errorf("%s %.40v: %+v, %v", member, value, got, err)
			}
		}
	}
	for member := range a.members(t) {
		payload := a.members(t)
		delete(payload, member)
		_, err := v.Verify(a.sign(t, payload).encode(t), now)
		if optional := member == "public_key" || member == "user_data" || member == "nonce"; (err == nil) != optional {
			t.Errorf("without %s: %v", member, err)
		}
	}
}

func ecKey(t *testing.T) []byte {
	der, err := x509.MarshalPKIXPublicKey(&newKey(t, elliptic.P384()).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestTampering changes every part of a message that was signed.
func TestTampering(t *testing.T) {
	a := newAuthority(t, plan{})
	v := verifier(t, a)
	refused := func(name string, signed []byte) {
		t.Helper()
		if got, err := v.Verify(signed, now); !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	change := func(name string, alter func(m *sign1)) {
		t.Helper()
		m := a.sign(t, a.members(t))
		alter(m)
		refused(name, m.encode(t))
	}
	change("no algorithm", func(m *sign1) { m.protected = marshal(t, map[int]int{}) })
	change("ES256", func(m *sign1) { m.protected = marshal(t, map[int]int{1: -7}) })
	change("another header beside", func(m *sign1) { m.protected = marshal(t, map[int]int{1: -35, 4: 1}) })
	change("the same header encoded otherwise", func(m *sign1) { m.protected = []byte{0xa1, 0x18, 0x01, 0x38, 0x22} })
	change("an unprotected header", func(m *sign1) { m.unprotected = map[int]int{4: 1} })
	change("null for unprotected headers", func(m *sign1) { m.unprotected = nil })
	change("no payload", func(m *sign1) { m.payload = nil })
	change("an empty signature", func(m *sign1) { m.signature = nil })
	change("a short signature", func(m *sign1) { m.signature = m.signature[:95] })
	change("a signature of zeros", func(m *sign1) { clear(m.signature) })
	change("r and s exchanged", func(m *sign1) { m.signature = append(m.signature[48:96:96], m.signature[:48]...) })
	change("another image", func(m *sign1) {
		i := bytes.Index(m.payload, fill(48, 0xa0))
		m.payload[i]++
	})
	change("another key", func(m *sign1) {
		i := bytes.Index(m.payload, publicKey(t))
		m.payload[i+100]++
	})
	whole := a.sign(t, a.members(t)).encode(t)
	refused("nothing", nil)
	refused("two tags", append([]byte{0xd2, 0xd2}, whole...))
	refused("another tag", append([]byte{0xd1}, whole...))
	refused("something behind", append(bytes.Clone(whole), 0))
	for _, n := range []int{1, len(whole) / 2, len(whole) - 1} {
		refused(fmt.Sprintf("the first %d bytes", n), whole[:n])
	}
	big := a.members(t)
	big["padding"] = make([]byte, 16384)
	refused("a payload that is too long", a.sign(t, big).encode(t))
	refused("a payload that is no map", a.sign(t, []int{1}).encode(t))
	twice := marshal(t, a.members(t))
	twice = append(append([]byte{twice[0] + 1}, twice[1:]...), append(marshal(t, "digest"), marshal(t, "SHA384")...)...)
	m := a.sign(t, rawPayload(twice))
	refused("a member that is there twice", m.encode(t))
}

// rawPayload is CBOR already.
type rawPayload []byte

func (r rawPayload) MarshalCBOR() ([]byte, error) { return r, nil }

// TestEveryBit flips single bits all over a document: none is without effect.
func TestEveryBit(t *testing.T) {
	a := newAuthority(t, plan{})
	v := verifier(t, a)
	whole := a.sign(t, a.members(t)).encode(t)
	for i := 0; i < len(whole); i += 7 {
		altered := bytes.Clone(whole)
		altered[i] ^= 1 << (i % 8)
		if got, err := v.Verify(altered, now); !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("bit %d of byte %d: %+v, %v", i%8, i, got, err)
		}
	}
}

// TestChains makes infrastructures with one flaw each.
func TestChains(t *testing.T) {
	for name, test := range map[string]struct {
		plan plan
		at   time.Time
		good bool
	}{
		"right":               {good: true},
		"at the end":          {at: now.Add(3 * time.Hour), good: true},
		"expired":             {at: now.Add(3*time.Hour + time.Second)},
		"not yet valid":       {at: now.Add(-time.Hour - time.Second)},
		"expired in between":  {plan: plan{between: func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }}},
		"no authority":        {plan: plan{between: func(c *x509.Certificate) { c.IsCA = false }}},
		"does not certify":    {plan: plan{between: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }}},
		"no path":             {plan: plan{between: func(c *x509.Certificate) { c.MaxPathLenZero = true }}, good: true},
		"signed by authority": {plan: plan{leaf: func(c *x509.Certificate) { c.IsCA = true }}},
		"does not sign":       {plan: plan{leaf: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }}},
		"P-256":               {plan: plan{curve: elliptic.P256()}},
		"P-521":               {plan: plan{curve: elliptic.P521()}},
		"older than its certificate": {plan: plan{leaf: func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }},
			at: now.Add(2 * time.Minute)},
	} {
		a := newAuthority(t, test.plan)
		if test.at.IsZero() {
			test.at = now
		}
		_, err := verifier(t, a).Verify(a.sign(t, a.members(t)).encode(t), test.at)
		if test.good != (err == nil) || err != nil && !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRoots: only the roots of the file are trusted, all of them, and not those
// that a document brings.
func TestRoots(t *testing.T) {
	a, b := newAuthority(t, plan{}), newAuthority(t, plan{})
	document := a.sign(t, a.members(t)).encode(t)
	if _, err := verifier(t, b).Verify(document, now); !errors.Is(err, attestation.ErrInvalid) {
		t.Errorf("under another root: %v", err)
	}
	mixed := a.members(t)
	mixed["cabundle"] = [][]byte{b.bundle[0], b.bundle[1], a.bundle[1]}
	if _, err := verifier(t, b).Verify(a.sign(t, mixed).encode(t), now); !errors.Is(err, attestation.ErrInvalid) {
		t.Errorf("with the trusted root in the bundle: %v", err)
	}
	both, err := attestation.NewVerifier(append(b.pem(), a.pem()...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Verify(document, now); err != nil {
		t.Errorf("under both roots: %v", err)
	}
	for name, file := range map[string][]byte{
		"empty": nil, "text": []byte("root"), "leaf": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.leaf}),
		"key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"broken": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if _, err := attestation.NewVerifier(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	a := newAuthority(f, plan{})
	v := verifier(f, a)
	f.Add(a.sign(f, a.members(f)).encode(f))
	f.Add([]byte{0xd2, 0x84, 0x40, 0xa0, 0x40, 0x40})
	f.Fuzz(func(t *testing.T, signed []byte) {
		if document, err := v.Verify(signed, now); err == nil == (document == nil) || err != nil && !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%+v, %v", document, err)
		}
	})
}
