package pkcs11

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// losses are the failures that a call meets: what it answers, and what the token
// has forgotten by then.
var losses = map[string]struct {
	code uint
	lose func(*fake)
}{
	"operation active":  {p11.CKR_OPERATION_ACTIVE, loseNothing},
	"buffer too small":  {p11.CKR_BUFFER_TOO_SMALL, loseNothing},
	"general error":     {p11.CKR_GENERAL_ERROR, loseNothing},
	"out of memory":     {p11.CKR_DEVICE_MEMORY, loseNothing},
	"session closed":    {p11.CKR_SESSION_CLOSED, loseSessions},
	"session lost":      {p11.CKR_SESSION_HANDLE_INVALID, loseSessions},
	"login lost":        {p11.CKR_USER_NOT_LOGGED_IN, loseLogins},
	"objects lost":      {p11.CKR_OBJECT_HANDLE_INVALID, loseSessionObjects},
	"keys lost":         {p11.CKR_KEY_HANDLE_INVALID, loseSessionObjects},
	"module finalized":  {p11.CKR_CRYPTOKI_NOT_INITIALIZED, loseModule},
	"device error":      {p11.CKR_DEVICE_ERROR, loseSlots},
	"device removed":    {p11.CKR_DEVICE_REMOVED, loseSlots},
	"token not present": {p11.CKR_TOKEN_NOT_PRESENT, loseSlots},
	"slot id invalid":   {p11.CKR_SLOT_ID_INVALID, loseSlots},
	"function failed":   {p11.CKR_FUNCTION_FAILED, loseSessions},
	"function canceled": {p11.CKR_FUNCTION_CANCELED, loseNothing},
	unknownCode:         {0x80000001, loseNothing},
}

// unknownCode is the one failure that the partition does not get over by itself:
// it is reported, with its code.
const unknownCode = "a code of the vendor's own"

// bench is a partition with something of everything, and the operations on it.
type bench struct {
	f               *fake
	p               *Partition
	secret, private hsm.WrappedKey
	rsa, mac        hsm.WrappedKey
	assisted        hsm.WrappedKey // ML_KEM_512
	sealed          hsm.Sealed
	ciphertext      []byte     // of "text", to rsa
	peer            []byte     // public key on P-256
	inside, outside hsm.Import // by where the envelope is opened
	transport       []byte     // public key of another partition
	foreign         []byte     // domain key 3, wrapped to this one
}

// partner stands for another partition: its transport key.
func partner(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, hsm.TransportBits)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	return der
}

func newBench(t *testing.T, keys map[int]*rsa.PrivateKey, partner []byte) *bench {
	t.Helper()
	ctx := t.Context()
	f := newFake(t, "one")
	f.rsa = keys
	f.curves = map[hsm.KeySpec]elliptic.Curve{hsm.ECCNistP256: elliptic.P256()} // each takes time when the token is opened
	cfg := fakeConfig("one")
	cfg.SoftwareAssisted = []hsm.KeySpec{hsm.MLKEM512}
	b := &bench{f: f, p: openFake(t, f.process(), cfg), transport: partner}
	must(t, b.p.CreateDomain(ctx, 1))
	b.secret = newSecretKey(t, b.p)
	var err error
	b.private, err = b.p.GenerateKey(ctx, 1, hsm.ECCNistP256)
	must(t, err)
	b.rsa, err = b.p.GenerateKey(ctx, 1, hsm.RSA2048)
	must(t, err)
	b.mac, err = b.p.GenerateKey(ctx, 1, hsm.HMAC224)
	must(t, err)
	b.ciphertext, err = algorithm.Encrypt(b.rsa.Public, hsm.RSA2048, hsm.RSAOAEPSHA256, []byte("text"))
	must(t, err)
	b.peer = b.private.Public
	b.assisted, err = b.p.GenerateKey(ctx, 1, hsm.MLKEM512)
	must(t, err)
	b.inside = hsm.Import{Wrapping: b.rsa, Algorithm: hsm.WrapAESSHA256, Material: material(t, b.rsa, hsm.WrapAESSHA256, hsm.ECCNistP256)}
	b.outside = hsm.Import{Wrapping: b.rsa, Algorithm: hsm.WrapOAEPSHA256, Material: material(t, b.rsa, hsm.WrapOAEPSHA256, hsm.HMAC224)}
	b.sealed, err = b.p.Encrypt(ctx, b.secret, []byte("text"), []byte("aad"))
	must(t, err)
	must(t, b.p.CreateDomain(ctx, 3))
	own, err := b.p.TransportKey(ctx)
	must(t, err)
	b.foreign, err = b.p.ExportDomain(ctx, 3, own)
	must(t, err)
	return b
}

// material answers new material of a spec in an envelope.
func material(t *testing.T, wrapping hsm.WrappedKey, alg hsm.WrappingAlgorithm, spec hsm.KeySpec) []byte {
	t.Helper()
	raw, _, err := algorithm.Generate(spec)
	must(t, err)
	return envelop(t, wrapping, alg, raw)
}

// operations are run with a fault in each of their calls to the module. Those
// with "first" find nothing cached.
var operations = map[string]func(ctx context.Context, b *bench) error{
	"generate secret": func(ctx context.Context, b *bench) error {
		key, err := b.p.GenerateKey(ctx, 1, hsm.SymmetricDefault)
		if err == nil && len(key.Wrapped) != wrappedSecretSize {
			err = errors.New("a wrapped key of another length")
		}
		return err
	},
	"generate pair": func(ctx context.Context, b *bench) error {
		_, err := b.p.GenerateKey(ctx, 1, hsm.ECCNistP256)
		return err
	},
	"encrypt first": func(ctx context.Context, b *bench) error { b.p.objects.Purge(); return b.encrypt(ctx) },
	"encrypt":       func(ctx context.Context, b *bench) error { return b.encrypt(ctx) },
	"decrypt first": func(ctx context.Context, b *bench) error { b.p.objects.Purge(); return b.decrypt(ctx, b.sealed) },
	"decrypt":       func(ctx context.Context, b *bench) error { return b.decrypt(ctx, b.sealed) },
	"sign": func(ctx context.Context, b *bench) error {
		_, err := b.p.Sign(ctx, b.private, hsm.ECDSASHA256, make([]byte, sha256.Size))
		return err
	},
	"generate RSA": func(ctx context.Context, b *bench) error {
		_, err := b.p.GenerateKey(ctx, 1, hsm.RSA2048)
		return err
	},
	"generate HMAC": func(ctx context.Context, b *bench) error {
		_, err := b.p.GenerateKey(ctx, 1, hsm.HMAC512)
		return err
	},
	"sign first": func(ctx context.Context, b *bench) error {
		b.p.objects.Purge()
		digest := make([]byte, sha256.Size)
		signature, err := b.p.Sign(ctx, b.rsa, hsm.RSAPSSSHA256, digest)
		if err != nil {
			return err
		}
		return algorithm.Verify(b.rsa.Public, hsm.RSA2048, hsm.RSAPSSSHA256, digest, signature)
	},
	"mac": func(ctx context.Context, b *bench) error {
		b.p.objects.Purge()
		_, err := b.p.MAC(ctx, b.mac, hsm.HMACSHA224, []byte("message"))
		return err
	},
	"open first": func(ctx context.Context, b *bench) error { b.p.objects.Purge(); return b.open(ctx) },
	"open":       func(ctx context.Context, b *bench) error { return b.open(ctx) },
	"agree": func(ctx context.Context, b *bench) error {
		_, err := b.p.Agree(ctx, b.private, b.peer)
		return err
	},
	"import inside": func(ctx context.Context, b *bench) error {
		_, _, err := b.p.ImportKey(ctx, 1, hsm.ECCNistP256, b.inside)
		return err
	},
	"import outside": func(ctx context.Context, b *bench) error {
		_, _, err := b.p.ImportKey(ctx, 1, hsm.HMAC224, b.outside)
		return err
	},
	"generate assisted": func(ctx context.Context, b *bench) error {
		_, err := b.p.GenerateKey(ctx, 1, hsm.MLKEM512)
		return err
	},
	"decapsulate": func(ctx context.Context, b *bench) error {
		want, ciphertext, err := algorithm.Encapsulate(b.assisted.Public, hsm.MLKEM512)
		if err != nil {
			return err
		}
		secret, err := b.p.Decapsulate(ctx, b.assisted, ciphertext)
		if err == nil && !bytes.Equal(secret, want) {
			err = errors.New("the secret is another")
		}
		return err
	},
	"random":        func(ctx context.Context, b *bench) error { return b.p.Random(ctx, make([]byte, 9)) },
	"check":         func(ctx context.Context, b *bench) error { return b.p.Check(ctx) },
	"create domain": func(ctx context.Context, b *bench) error { return b.p.CreateDomain(ctx, 2) },
	"transport key": func(ctx context.Context, b *bench) error { _, err := b.p.TransportKey(ctx); return err },
	"export": func(ctx context.Context, b *bench) error {
		_, err := b.p.ExportDomain(ctx, 1, b.transport)
		return err
	},
	"import": func(ctx context.Context, b *bench) error { return b.p.ImportDomain(ctx, 4, b.foreign) },
}

func (b *bench) encrypt(ctx context.Context) error {
	sealed, err := b.p.Encrypt(ctx, b.secret, []byte("text"), []byte("aad"))
	if err != nil {
		return err
	}
	return b.decrypt(ctx, sealed)
}

func (b *bench) open(ctx context.Context) error {
	text, err := b.p.Open(ctx, b.rsa, hsm.RSAOAEPSHA256, b.ciphertext)
	if err == nil && !bytes.Equal(text, []byte("text")) {
		err = errors.New("the text is another")
	}
	return err
}

func (b *bench) decrypt(ctx context.Context, sealed hsm.Sealed) error {
	text, err := b.p.Decrypt(ctx, b.secret, sealed, []byte("aad"))
	if err == nil && !bytes.Equal(text, []byte("text")) {
		err = errors.New("the text is another")
	}
	return err
}

// TestEveryFault runs every operation with every failure at each of its calls to
// the module, which took effect or did not. One failure is got over.
func TestEveryFault(t *testing.T) {
	key := make(map[int]*rsa.PrivateKey) // shared: what tells them apart is not tested here
	other := partner(t)
	for name, operate := range operations {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, key, other)
			calls := b.f.traced(func() { must(t, operate(t.Context(), b)) })
			for loss := range losses {
				for i, function := range calls {
					skip := nth(calls, i)
					for _, effect := range []bool{true, false} {
						b := newBench(t, key, other)
						b.survive(t, operate, loss, failing{function: function, skip: skip, effect: effect})
						must(t, b.p.Close())
					}
				}
			}
		})
	}
}

// nth answers how many calls of the same function come before one.
func nth(calls []string, i int) int {
	return len(slices.DeleteFunc(slices.Clone(calls[:i]), func(f string) bool { return f != calls[i] }))
}

// survive runs an operation with one failure.
func (b *bench) survive(t *testing.T, operate func(context.Context, *bench) error, loss string, x failing) {
	t.Helper()
	x.code, x.lose = losses[loss].code, losses[loss].lose
	at := fmt.Sprintf("%s at %s, %d, effect %v", loss, x.function, x.skip, x.effect)
	b.f.arm(x)
	err := operate(t.Context(), b)
	b.f.disarm()
	switch {
	case err == nil && (loss != unknownCode || x.function == "C_DestroyObject"):
	case loss == unknownCode && errors.Is(err, hsm.ErrUnavailable) && code(err) == x.code:
	default:
		t.Errorf("%s: %v", at, err)
	}
	b.verify(t, at)
}

// verify checks that a fault left nothing behind.
func (b *bench) verify(t *testing.T, at string) {
	t.Helper()
	ctx := t.Context()
	if err := b.p.Check(ctx); err != nil {
		t.Fatalf("%s: afterwards: %v", at, err)
	}
	if err := errors.Join(b.decrypt(ctx, b.sealed), b.encrypt(ctx)); err != nil {
		t.Errorf("%s: afterwards: %v", at, err)
	}
	labels := make(map[any]int)
	for _, o := range b.f.tokens[0].objects {
		labels[fmt.Sprint(o.attribute(p11.CKA_CLASS), o.attribute(p11.CKA_LABEL))]++
	}
	for label, n := range labels {
		if n != 1 {
			t.Errorf("%s: %d token objects %s", at, n, label)
		}
	}
	drained, _ := b.p.drain(time.Minute) // the last calls may still be sweeping
	for _, sl := range drained {
		b.p.idle <- sl
	}
	// A pair may be left over that the token made and did not tell us of.
	if n, known := b.f.sessionObjects(), b.p.objects.Len()+b.p.waiting(); n > known+2 {
		t.Errorf("%s: %d session objects of which we know %d", at, n, known)
	}
	if len(b.p.idle) > len(b.p.slots) {
		t.Errorf("%s: %d idle slots of %d", at, len(b.p.idle), len(b.p.slots))
	}
}
