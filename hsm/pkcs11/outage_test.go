package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// The tests of this file run in bubbles, where time passes when nobody has
// anything else to do.

// in runs a test with a partition that has a domain key and a secret key.
func in(t *testing.T, test func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "one")
		p := openFake(t, f.process(), fakeConfig("one"))
		must(t, p.CreateDomain(t.Context(), 1))
		test(t, f, p, newSecretKey(t, p))
	})
}

// lasting runs fn and answers how long it took, and its error.
func lasting(fn func() error) (time.Duration, error) {
	begun := time.Now()
	err := fn()
	return time.Since(begun), err
}

func (p *Partition) random() error { return p.Random(context.Background(), make([]byte, 1)) }

func TestHungCalls(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_Encrypt", hang: hang, always: true})
		encrypt := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := p.Encrypt(ctx, key, []byte("text"), nil)
			return err
		}
		for range 3 {
			took, err := lasting(encrypt)
			wants(t, "a hung call", err, hsm.ErrTimeout)
			if took != 100*time.Millisecond {
				t.Errorf("a call with a deadline of 100 ms took %v", took)
			}
			must(t, p.random()) // the other sessions work
		}
		time.Sleep(p.timeout)
		took, err := lasting(p.random)
		wants(t, "with 3 of 4 sessions hung", err, hsm.ErrUnavailable)
		if took != 0 {
			t.Errorf("the open circuit took %v", took)
		}
		f.disarm()
		close(hang)
		synctest.Wait()
		must(t, p.random())
		must(t, encrypt())
		if len(p.idle) != len(p.slots) || p.abandoned.Load() != 0 {
			t.Errorf("%d of %d slots came back, %d calls are missed", len(p.idle), len(p.slots), p.abandoned.Load())
		}
	})
}

// TestEverySessionHangs: who waits for a session does not wait longer than his
// own deadline, or than the time after which the calls count as hung.
func TestEverySessionHangs(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_GenerateRandom", hang: hang, always: true})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				took, err := lasting(p.random)
				if !errors.Is(err, hsm.ErrTimeout) && !errors.Is(err, hsm.ErrUnavailable) || took > p.timeout {
					t.Errorf("after %v: %v", took, err)
				}
			})
		}
		wg.Wait()
		f.disarm()
		close(hang)
		synctest.Wait()
		must(t, p.random())
	})
}

// TestAbandonedResult: what a call makes after its caller has left is not lost
// in the token.
func TestAbandonedResult(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_UnwrapKey", hang: hang})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Encrypt(ctx, key, nil, nil)
		wants(t, "a hung call", err, hsm.ErrTimeout)
		close(hang)
		synctest.Wait()
		if n := f.sessionObjects(); n != p.objects.Len() {
			t.Errorf("%d session objects, of which %d are cached", n, p.objects.Len())
		}
		must(t, p.random())
	})
}

// TestHungCallForbidsInitialization: C_Finalize beside another call is
// undefined, and what an old call does late must not meet a new world.
func TestHungCallForbidsInitialization(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_Sign", hang: hang})
		go func() { _, _ = p.Identity().Sign(nil, make([]byte, 32), crypto256) }()
		synctest.Wait()
		f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_DEVICE_ERROR, lose: loseSlots, always: true})
		for range 3 {
			took, err := lasting(p.random)
			if !errors.Is(err, hsm.ErrUnavailable) && !errors.Is(err, hsm.ErrTimeout) || took > p.timeout {
				t.Errorf("with a lost device, after %v: %v", took, err)
			}
			time.Sleep(time.Minute)
		}
		f.disarm()
		close(hang)
		time.Sleep(time.Minute)
		must(t, p.random()) // the fake fails the test where it is finalized too early
		must(t, p.Check(t.Context()))
	})
}

// TestSessionsDoNotPileUp: sessions that had to be left behind are closed, before
// there are many.
func TestSessionsDoNotPileUp(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		for range 200 {
			f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_OPERATION_ACTIVE})
			must(t, p.random())
			time.Sleep(longestPause)
		}
		if n := len(f.sessions); n > len(p.slots)*(maxRetired+2)+1 {
			t.Errorf("%d sessions for %d slots", n, len(p.slots))
		}
	})
}

// TestOpenHangs: opening a token that hangs ends with its context, and what
// comes of it later is let go.
func TestOpenHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "one")
		hang := make(chan struct{})
		f.arm(failing{function: "C_Login", hang: hang})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := open(ctx, fakeConfig("one"), f.process())
		wants(t, "a hung token", err, hsm.ErrTimeout)
		close(hang)
		synctest.Wait()
		if f.initialized || len(f.sessions) > 0 {
			t.Errorf("the module stays initialized, with %d sessions", len(f.sessions))
		}
	})
}

// TestRefusedLogin: a PIN that the token does not take any more is not tried
// again.
func TestRefusedLogin(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		token := f.tokens[0]
		token.pin = "changed"
		f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_USER_NOT_LOGGED_IN, lose: loseLogins})
		before := token.logins
		for range 100 {
			err := p.random()
			wants(t, "a refused login", err, hsm.ErrUnavailable)
			wants(t, "check", p.Check(t.Context()), hsm.ErrUnavailable)
			time.Sleep(time.Minute)
		}
		if n := token.logins - before; n != 1 {
			t.Errorf("%d attempts to log in", n)
		}
	})
}

// TestLastTry: the one try that is left is the operator's. Once somebody has
// logged in, the partition does so too, by itself.
func TestLastTry(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		token := f.tokens[0]
		token.info.lastTry = true
		f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_USER_NOT_LOGGED_IN, lose: loseLogins})
		before := token.logins
		for range 10 {
			wants(t, "with one try left", p.random(), hsm.ErrPIN)
			time.Sleep(time.Minute)
		}
		if token.logins != before {
			t.Errorf("%d attempts to log in", token.logins-before)
		}
		token.info.lastTry = false
		must(t, p.random())
	})
}

// TestRefusalsSayWhatToDo: which token in which slot, and what about the PIN, in
// words; and the code.
func TestRefusalsSayWhatToDo(t *testing.T) {
	for refusal, reason := range refusals {
		f := newFake(t, "other", "one")
		f.arm(failing{function: "C_Login", code: refusal})
		_, err := open(t.Context(), fakeConfig("one"), f.process())
		wants(t, reason, err, hsm.ErrPIN)
		for _, part := range []string{`token "one"`, "serial of one", "slot 1", "PIN", reason, fmt.Sprintf("CKR 0x%08X", refusal)} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("no %q in: %v", part, err)
			}
		}
		if strings.Contains(err.Error(), string(fakeConfig("one").PIN)) {
			t.Errorf("the PIN is in: %v", err)
		}
		if f.tokens[1].logins > 1 {
			t.Errorf("%s: %d attempts to log in", reason, f.tokens[1].logins)
		}
	}
}

// TestTokenAway: while the token is away, calls fail at once and the token is
// looked for with pauses; when it is back, it is found in another slot.
func TestTokenAway(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		sealed, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
		must(t, err)
		f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_TOKEN_NOT_PRESENT, lose: func(f *fake) {
			loseSlots(f)
			f.tokens[0].absent = true
		}})
		wants(t, "a lost token", p.random(), hsm.ErrUnavailable)
		attempts := len(f.traced(func() {
			for range 6000 {
				took, err := lasting(p.random)
				wants(t, "a token that is away", err, hsm.ErrUnavailable)
				if took > 0 {
					t.Fatalf("failing took %v", took)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}))
		if attempts == 0 || attempts > 200 {
			t.Errorf("%d calls to the module in a minute", attempts)
		}
		f.mu.Lock()
		f.tokens[0].absent = false
		f.mu.Unlock()
		time.Sleep(longestPause)
		if text, err := p.Decrypt(t.Context(), key, sealed, nil); err != nil || string(text) != "text" {
			t.Errorf("decrypted %q, %v", text, err)
		}
	})
}

// TestAnotherToken: a token of the same label but another serial number, or with
// another identity key, is not ours.
func TestAnotherToken(t *testing.T) {
	for name, exchange := range map[string]func(*fake){
		"serial number": func(f *fake) { f.tokens[0].info.serial = "another" },
		"identity": func(f *fake) {
			token := f.tokens[0]
			token.objects = nil
			f.plantPair(labelIdentity)
		},
		"no identity": func(f *fake) { f.tokens[0].objects = nil },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
				f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_DEVICE_REMOVED, lose: func(f *fake) {
					loseSlots(f)
					exchange(f)
				}})
				wants(t, "another token", p.random(), hsm.ErrUnavailable)
				time.Sleep(time.Minute)
				_, err := p.Encrypt(t.Context(), key, nil, nil)
				wants(t, "a minute later", err, hsm.ErrUnavailable)
			})
		})
	}
}

// TestHungReconnection: while reconnecting hangs, calls fail.
func TestHungReconnection(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_Login", hang: hang})
		f.arm(failing{function: "C_GenerateRandom", code: p11.CKR_SESSION_HANDLE_INVALID, lose: loseSessions})
		took, err := lasting(p.random)
		wants(t, "a hung reconnection", err, hsm.ErrTimeout)
		if took > p.timeout {
			t.Errorf("it took %v", took)
		}
		time.Sleep(2 * p.timeout)
		err = p.random()
		if !errors.Is(err, hsm.ErrTimeout) && !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("later: %v", err)
		}
		close(hang)
		time.Sleep(longestPause)
		must(t, p.random())
	})
}

// TestCloseBesideHungCall: closing does not wait for ever, and does not finalize
// the module.
func TestCloseBesideHungCall(t *testing.T) {
	in(t, func(t *testing.T, f *fake, p *Partition, key hsm.WrappedKey) {
		hang := make(chan struct{})
		f.arm(failing{function: "C_GenerateRandom", hang: hang})
		go func() { _ = p.random() }()
		synctest.Wait()
		took, err := lasting(p.Close)
		if err != nil || took > 2*p.timeout {
			t.Errorf("closing took %v: %v", took, err)
		}
		if !f.initialized {
			t.Error("the module was finalized beside a call")
		}
		close(hang)
	})
}

// TestPartitionsShareTheModule: initializing it anew for one is for all, and the
// last one finalizes it.
func TestPartitionsShareTheModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "one", "two", "three")
		from := f.process()
		var all []*Partition
		for _, token := range f.tokens {
			p := openFake(t, from, fakeConfig(token.info.label))
			p.pause = 0
			must(t, p.CreateDomain(t.Context(), 1))
			all = append(all, p)
		}
		for round := range 3 {
			var wg sync.WaitGroup
			for i, p := range all {
				wg.Go(func() {
					for range 50 {
						if err := roundTrip(t.Context(), p); err != nil {
							t.Error(err)
						}
						if i == round {
							f.arm(failing{function: "C_WrapKey", code: p11.CKR_DEVICE_ERROR, lose: loseSlots})
						}
						time.Sleep(longestPause)
					}
				})
			}
			wg.Wait()
		}
		for i, p := range all {
			if !f.initialized {
				t.Fatalf("the module is finalized with %d users left", len(all)-i)
			}
			f.disarm()
			must(t, p.Check(t.Context()))
			must(t, p.Close())
		}
		if f.initialized {
			t.Error("the last user has not finalized the module")
		}
		must(t, openFake(t, from, fakeConfig("two")).Check(t.Context()))
	})
}

func roundTrip(ctx context.Context, p *Partition) error {
	key, err := p.GenerateKey(ctx, 1, hsm.SymmetricDefault)
	if err != nil {
		return err
	}
	sealed, err := p.Encrypt(ctx, key, nil, nil)
	if err != nil {
		return err
	}
	_, err = p.Decrypt(ctx, key, sealed, nil)
	return err
}

// TestChaos runs operations from many goroutines while the token fails in all
// ways: whatever is answered is right, and in the end everything works.
func TestChaos(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T, f *fake, p *Partition, _ hsm.WrappedKey) { chaos(t, f, p, seed) })
		})
	}
}

func chaos(t *testing.T, f *fake, p *Partition, seed uint64) {
	keys := make([]hsm.WrappedKey, 24)
	for i := range keys {
		keys[i] = newSecretKey(t, p)
	}
	private := make([]hsm.WrappedKey, 6)
	for i := range private {
		var err error
		private[i], err = p.GenerateKey(t.Context(), 1, hsm.ECCNistP256)
		must(t, err)
	}
	p.pause = 0
	var mu sync.Mutex
	good, nonces := 0, make(map[string]bool)
	var wg sync.WaitGroup
	for g := range 6 {
		r := rand.New(rand.NewPCG(seed, uint64(g)))
		wg.Go(func() {
			for i := range 150 {
				n, text := r.IntN(len(keys)), fmt.Sprintf("%d of %d", i, g)
				if r.IntN(10) == 0 {
					f.arm(anyFault(r))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+r.IntN(20))*time.Second)
				sealed, err := p.Encrypt(ctx, keys[n], []byte(text), nil)
				var got []byte
				if err == nil {
					mu.Lock()
					nonces[fmt.Sprint(n, sealed.Nonce)] = true
					good++
					mu.Unlock()
					got, err = p.Decrypt(ctx, keys[n], sealed, nil)
				}
				if err == nil && i%8 == 0 {
					err = signs(ctx, p, private[n%len(private)])
				}
				cancel()
				switch {
				case err == nil && string(got) != text:
					t.Errorf("decrypted %q", got)
				case err != nil && !errors.Is(err, hsm.ErrUnavailable) && !errors.Is(err, hsm.ErrTimeout):
					t.Errorf("operation: %v", err)
				}
			}
		})
	}
	wg.Wait()
	f.disarm()
	time.Sleep(time.Minute)
	for _, key := range keys {
		_, err := p.Encrypt(t.Context(), key, nil, nil)
		must(t, err)
	}
	if len(nonces) != good || good == 0 {
		t.Errorf("%d messages have %d nonces", good, len(nonces))
	}
}

// signs fails where a key signs, and not as itself.
func signs(ctx context.Context, p *Partition, key hsm.WrappedKey) error {
	digest := random(32)
	signature, err := p.Sign(ctx, key, hsm.ECDSASHA256, digest)
	if err != nil {
		return err
	}
	return algorithm.Verify(key.Public, key.Spec, hsm.ECDSASHA256, digest, signature)
}

// anyFault is a random failure; hung calls go on after some time.
func anyFault(r *rand.Rand) failing {
	functions := []string{
		"C_Encrypt", "C_Decrypt", "C_UnwrapKey", "C_DeriveKey", "C_GenerateRandom", "C_Sign",
		"C_OpenSession", "C_FindObjects", "C_Login", "C_DestroyObject", "C_CloseSession",
	}
	x := failing{function: functions[r.IntN(len(functions))], effect: r.IntN(2) == 0, skip: r.IntN(3)}
	if r.IntN(8) == 0 {
		hang := make(chan struct{})
		time.AfterFunc(time.Duration(r.Int64N(int64(30*time.Second))), func() { close(hang) })
		x.hang = hang
		return x
	}
	codes := []uint{
		p11.CKR_OPERATION_ACTIVE, p11.CKR_DEVICE_ERROR, p11.CKR_DEVICE_MEMORY, p11.CKR_SESSION_HANDLE_INVALID,
		p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_CRYPTOKI_NOT_INITIALIZED,
	}
	lose := []func(*fake){loseNothing, loseNothing, loseNothing, loseSessions, loseLogins, loseModule}
	i := r.IntN(len(codes))
	x.code, x.lose = codes[i], lose[i]
	return x
}
