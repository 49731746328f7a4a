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
	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
)

func TestVerify(t *testing.T) {
	a := attestationtest.New(t, attestationtest.Plan{})
	document := a.Sign(t, a.Payload(t)).Encode(t)
	for name, signed := range map[string][]byte{"untagged": document, "tagged": append([]byte{0xd2}, document...)} {
		got, err := verifier(t, a).Verify(signed, attestationtest.Now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.ModuleID != "i-0123-enc4567" || !got.Time.Equal(attestationtest.Now) || len(got.PCRs) != 4 || got.NitroTPM != nil ||
			!bytes.Equal(got.PCRs[31], attestationtest.Fill(32, 0xff)) || !got.Recipient.Equal(&attestationtest.Enclave().PublicKey) || got.UserData != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if want := strings.Repeat("a0", 48); got.ImageDigest() != want {
			t.Errorf("image digest %s", got.ImageDigest())
		}
	}
}

// TestOptionalMembers leaves out and adds what a document may have.
func TestOptionalMembers(t *testing.T) {
	a := attestationtest.New(t, attestationtest.Plan{})
	payload := a.Payload(t)
	delete(payload, "public_key")
	delete(payload, "user_data")
	payload["nonce"] = attestationtest.Fill(1024, 7)
	payload["of_a_newer_hypervisor"] = []int{1, 2}
	got, err := verifier(t, a).Verify(a.Sign(t, payload).Encode(t), attestationtest.Now)
	if err != nil || got.Recipient != nil || len(got.Nonce) != 1024 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := got.Seal([]byte("x")); !errors.Is(err, attestation.ErrNoRecipient) {
		t.Errorf("sealing to nobody: %v", err)
	}
	payload = a.Payload(t)
	payload["nitrotpm_pcrs"] = payload["pcrs"]
	delete(payload, "pcrs")
	got, err = verifier(t, a).Verify(a.Sign(t, payload).Encode(t), attestationtest.Now)
	if err != nil || len(got.NitroTPM) != 4 || got.PCRs != nil || got.ImageDigest() != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMalformed gives each member every wrong value that the specification rules
// out.
func TestMalformed(t *testing.T) {
	a := attestationtest.New(t, attestationtest.Plan{})
	v := verifier(t, a)
	many := map[int][]byte{}
	for i := range 33 {
		many[i] = attestationtest.Fill(48, 1)
	}
	wrong := map[string][]any{
		"module_id":   {nil, "", 1, []byte("i-0")},
		"digest":      {nil, "SHA256", "sha384", []byte("SHA384")},
		"timestamp":   {nil, 0, -1, "2026", 1.5, uint64(1) << 63},
		"pcrs":        {nil, many, map[int][]byte{}, map[int][]byte{32: attestationtest.Fill(48, 1)}, map[int][]byte{-1: attestationtest.Fill(48, 1)}, map[string][]byte{"0": attestationtest.Fill(48, 1)}, map[int][]byte{0: attestationtest.Fill(47, 1)}, map[int][]byte{0: attestationtest.Fill(80, 1)}, map[int]string{0: strings.Repeat("a", 48)}, [][]byte{attestationtest.Fill(48, 1)}},
		"certificate": {nil, []byte{}, attestationtest.Fill(1025, 0x30), "x", []byte("no certificate"), a.Bundle[1]},
		"cabundle":    {nil, [][]byte{}, []any{""}, [][]byte{{}}, [][]byte{attestationtest.Fill(1025, 1)}, [][]byte{{1}}, [][]byte{a.Leaf}, a.Bundle[:1], make([][]byte, 9)},
		"public_key":  {[]byte{}, "x", attestationtest.Fill(1025, 1), attestationtest.Fill(100, 1), x509.MarshalPKCS1PublicKey(&attestationtest.Enclave().PublicKey), ecKey(t)},
		"user_data":   {attestationtest.Fill(1025, 1), "text", 1},
		"nonce":       {attestationtest.Fill(1025, 1), "text", []int{1}},
	}
	for member, values := range wrong {
		for _, value := range values {
			payload := maps.Clone(a.Payload(t))
			payload[member] = value
			if got, err := v.Verify(a.Sign(t, payload).Encode(t), attestationtest.Now); !errors.Is(err, attestation.ErrInvalid) {
				t.Errorf("%s %.40v: %+v, %v", member, value, got, err)
			}
		}
	}
	for member := range a.Payload(t) {
		payload := a.Payload(t)
		delete(payload, member)
		_, err := v.Verify(a.Sign(t, payload).Encode(t), attestationtest.Now)
		if optional := member == "public_key" || member == "user_data" || member == "nonce"; (err == nil) != optional {
			t.Errorf("without %s: %v", member, err)
		}
	}
}

// TestTampering changes every part of a message that was signed.
func TestTampering(t *testing.T) {
	a := attestationtest.New(t, attestationtest.Plan{})
	v := verifier(t, a)
	refused := func(name string, signed []byte) {
		t.Helper()
		if got, err := v.Verify(signed, attestationtest.Now); !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	change := func(name string, alter func(m *attestationtest.Message)) {
		t.Helper()
		m := a.Sign(t, a.Payload(t))
		alter(m)
		refused(name, m.Encode(t))
	}
	change("no algorithm", func(m *attestationtest.Message) { m.Protected = attestationtest.Marshal(t, map[int]int{}) })
	change("ES256", func(m *attestationtest.Message) { m.Protected = attestationtest.Marshal(t, map[int]int{1: -7}) })
	change("another header beside", func(m *attestationtest.Message) { m.Protected = attestationtest.Marshal(t, map[int]int{1: -35, 4: 1}) })
	change("the same header encoded otherwise", func(m *attestationtest.Message) { m.Protected = []byte{0xa1, 0x18, 0x01, 0x38, 0x22} })
	change("an unprotected header", func(m *attestationtest.Message) { m.Unprotected = map[int]int{4: 1} })
	change("null for unprotected headers", func(m *attestationtest.Message) { m.Unprotected = nil })
	change("no payload", func(m *attestationtest.Message) { m.Payload = nil })
	change("an empty signature", func(m *attestationtest.Message) { m.Signature = nil })
	change("a short signature", func(m *attestationtest.Message) { m.Signature = m.Signature[:95] })
	change("a signature of zeros", func(m *attestationtest.Message) { clear(m.Signature) })
	change("r and s exchanged", func(m *attestationtest.Message) { m.Signature = append(m.Signature[48:96:96], m.Signature[:48]...) })
	change("another image", func(m *attestationtest.Message) {
		i := bytes.Index(m.Payload, attestationtest.Fill(48, 0xa0))
		m.Payload[i]++
	})
	change("another key", func(m *attestationtest.Message) {
		i := bytes.Index(m.Payload, attestationtest.PublicKey(t))
		m.Payload[i+100]++
	})
	whole := a.Sign(t, a.Payload(t)).Encode(t)
	refused("nothing", nil)
	refused("two tags", append([]byte{0xd2, 0xd2}, whole...))
	refused("another tag", append([]byte{0xd1}, whole...))
	refused("something behind", append(bytes.Clone(whole), 0))
	for _, n := range []int{1, len(whole) / 2, len(whole) - 1} {
		refused(fmt.Sprintf("the first %d bytes", n), whole[:n])
	}
	big := a.Payload(t)
	big["padding"] = make([]byte, 16384)
	refused("a payload that is too long", a.Sign(t, big).Encode(t))
	refused("a payload that is no map", a.Sign(t, []int{1}).Encode(t))
	twice := attestationtest.Marshal(t, a.Payload(t))
	twice = append(append([]byte{twice[0] + 1}, twice[1:]...), append(attestationtest.Marshal(t, "digest"), attestationtest.Marshal(t, "SHA384")...)...)
	m := a.Sign(t, rawPayload(twice))
	refused("a member that is there twice", m.Encode(t))
}

// TestEveryBit flips single bits all over a document: none is without effect.
func TestEveryBit(t *testing.T) {
	a := attestationtest.New(t, attestationtest.Plan{})
	v := verifier(t, a)
	whole := a.Sign(t, a.Payload(t)).Encode(t)
	for i := 0; i < len(whole); i += 7 {
		altered := bytes.Clone(whole)
		altered[i] ^= 1 << (i % 8)
		if got, err := v.Verify(altered, attestationtest.Now); !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("bit %d of byte %d: %+v, %v", i%8, i, got, err)
		}
	}
}

// TestChains makes infrastructures with one flaw each.
func TestChains(t *testing.T) {
	for name, test := range map[string]struct {
		plan attestationtest.Plan
		at   time.Time
		good bool
	}{
		"right":               {good: true},
		"at the end":          {at: attestationtest.Now.Add(3 * time.Hour), good: true},
		"expired":             {at: attestationtest.Now.Add(3*time.Hour + time.Second)},
		"not yet valid":       {at: attestationtest.Now.Add(-time.Hour - time.Second)},
		"expired in between":  {plan: attestationtest.Plan{Between: func(c *x509.Certificate) { c.NotAfter = attestationtest.Now.Add(-time.Minute) }}},
		"no authority":        {plan: attestationtest.Plan{Between: func(c *x509.Certificate) { c.IsCA = false }}},
		"does not certify":    {plan: attestationtest.Plan{Between: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }}},
		"no path":             {plan: attestationtest.Plan{Between: func(c *x509.Certificate) { c.MaxPathLenZero = true }}, good: true},
		"signed by authority": {plan: attestationtest.Plan{Leaf: func(c *x509.Certificate) { c.IsCA = true }}},
		"does not sign":       {plan: attestationtest.Plan{Leaf: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }}},
		"P-256":               {plan: attestationtest.Plan{Curve: elliptic.P256()}},
		"P-521":               {plan: attestationtest.Plan{Curve: elliptic.P521()}},
		"older than its certificate": {plan: attestationtest.Plan{Leaf: func(c *x509.Certificate) { c.NotBefore = attestationtest.Now.Add(time.Minute) }},
			at: attestationtest.Now.Add(2 * time.Minute)},
	} {
		a := attestationtest.New(t, test.plan)
		if test.at.IsZero() {
			test.at = attestationtest.Now
		}
		_, err := verifier(t, a).Verify(a.Sign(t, a.Payload(t)).Encode(t), test.at)
		if test.good != (err == nil) || err != nil && !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRoots: only the roots of the file are trusted, all of them, and not those
// that a document brings.
func TestRoots(t *testing.T) {
	a, b := attestationtest.New(t, attestationtest.Plan{}), attestationtest.New(t, attestationtest.Plan{})
	document := a.Sign(t, a.Payload(t)).Encode(t)
	if _, err := verifier(t, b).Verify(document, attestationtest.Now); !errors.Is(err, attestation.ErrInvalid) {
		t.Errorf("under another root: %v", err)
	}
	mixed := a.Payload(t)
	mixed["cabundle"] = [][]byte{b.Bundle[0], b.Bundle[1], a.Bundle[1]}
	if _, err := verifier(t, b).Verify(a.Sign(t, mixed).Encode(t), attestationtest.Now); !errors.Is(err, attestation.ErrInvalid) {
		t.Errorf("with the trusted root in the bundle: %v", err)
	}
	both, err := attestation.NewVerifier(append(b.PEM(), a.PEM()...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Verify(document, attestationtest.Now); err != nil {
		t.Errorf("under both roots: %v", err)
	}
	for name, file := range map[string][]byte{
		"empty": nil, "text": []byte("root"), "leaf": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Leaf}),
		"key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"broken": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if _, err := attestation.NewVerifier(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	a := attestationtest.New(f, attestationtest.Plan{})
	v := verifier(f, a)
	f.Add(a.Sign(f, a.Payload(f)).Encode(f))
	f.Add([]byte{0xd2, 0x84, 0x40, 0xa0, 0x40, 0x40})
	f.Fuzz(func(t *testing.T, signed []byte) {
		if document, err := v.Verify(signed, attestationtest.Now); err == nil == (document == nil) || err != nil && !errors.Is(err, attestation.ErrInvalid) {
			t.Errorf("%+v, %v", document, err)
		}
	})
}
