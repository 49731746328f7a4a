package hsmtest

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func testNotary(t *testing.T, open Open) {
	p := open(t, "notary")
	signer := p.Notary()
	if signer == nil {
		t.Fatal("there is no notary key")
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatalf("the notary key is a %T", signer.Public())
	}
	for _, message := range [][]byte{nil, []byte("message"), make([]byte, 2000)} {
		signature, err := signer.Sign(nil, message, crypto.Hash(0))
		must(t, err)
		if !ed25519.Verify(public, message, signature) {
			t.Errorf("the signature of %d bytes does not verify", len(message))
		}
	}
	_, err := signer.Sign(nil, make([]byte, 64), crypto.SHA512)
	wants(t, "a digest", err, hsm.ErrUnsupported)
	must(t, p.Close())
	_, err = signer.Sign(nil, nil, crypto.Hash(0))
	wants(t, "signing after Close", err, hsm.ErrClosed)

	if again := open(t, "notary").Notary().Public(); !public.Equal(again) {
		t.Error("the notary key changed")
	}
}

func testMemory(t *testing.T, open Open) {
	ctx := t.Context()
	p := open(t, "memory")
	if value, err := p.Recall(ctx); err != nil || value != nil {
		t.Errorf("recalled %q, %v of nothing", value, err)
	}
	largest := bytes.Repeat([]byte{3}, hsm.MaxMemory)
	for _, value := range [][]byte{{1}, {2, 0}, largest} {
		must(t, p.Remember(ctx, value))
		if got, err := p.Recall(ctx); err != nil || !bytes.Equal(got, value) {
			t.Errorf("recalled %d bytes of %d, %v", len(got), len(value), err)
		}
	}
	wants(t, "too large a value", p.Remember(ctx, append(largest, 1)), hsm.ErrUnsupported)
	must(t, p.Close())
	wants(t, "remembering after Close", p.Remember(ctx, largest), hsm.ErrClosed)
	_, err := p.Recall(ctx)
	wants(t, "recalling after Close", err, hsm.ErrClosed)

	if got, err := open(t, "memory").Recall(ctx); err != nil || !bytes.Equal(got, largest) {
		t.Errorf("recalled %d bytes after opening again, %v", len(got), err)
	}
}
