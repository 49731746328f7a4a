package pkcs11

import (
	"cmp"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// fake is a PKCS#11 module in memory, unkind where the standard allows it: it
// gives numbers of handles to other objects as soon as they are free, gives
// token objects new handles when it is initialized, and forbids what a template
// does not allow. It fails as told by faults.
type fake struct {
	t testing.TB

	mu          sync.Mutex
	initialized bool
	inside      int // calls, hung ones too
	tokens      []*fakeToken
	sessions    map[sessionHandle]*fakeSession
	objects     map[objectHandle]*fakeObject
	mechanisms  []uint
	wrongPad    bool // CKM_AES_KEY_WRAP_PAD is not RFC 5649
	vague       bool // as SoftHSM: wrong input is CKR_GENERAL_ERROR, and padding stays on, see softens
	curves      map[hsm.KeySpec]elliptic.Curve
	rsa         map[int]*rsa.PrivateKey // what RSA key pairs are, by bits; made where it is not there
	faults      []*failing
	trace       []string
}

type fakeToken struct {
	slot     uint
	absent   bool
	info     tokenInfo
	pin      string
	loggedIn bool
	logins   int           // attempts
	objects  []*fakeObject // token objects
}

type fakeSession struct {
	token *fakeToken
	busy  bool
}

// failing is a failure to come.
type failing struct {
	function string
	skip     int         // how many calls of the function go well before
	code     uint        // what it answers
	effect   bool        // having done its work, or not
	lose     func(*fake) // what the token forgets with it
	hang     <-chan struct{}
	always   bool // not only once
}

func newFake(t testing.TB, labels ...string) *fake {
	f := &fake{t: t, vague: true, mechanisms: []uint{
		p11.CKM_AES_KEY_GEN, p11.CKM_AES_GCM, p11.CKM_AES_ECB, p11.CKM_AES_ECB_ENCRYPT_DATA, p11.CKM_AES_KEY_WRAP_PAD,
		p11.CKM_EC_KEY_PAIR_GEN, p11.CKM_ECDSA, p11.CKM_ECDH1_DERIVE, edwardsKeyPairGen, signEdDSA,
		p11.CKM_GENERIC_SECRET_KEY_GEN, p11.CKM_SHA224_HMAC, p11.CKM_SHA256_HMAC, p11.CKM_SHA384_HMAC, p11.CKM_SHA512_HMAC,
		p11.CKM_RSA_PKCS, p11.CKM_RSA_PKCS_PSS, p11.CKM_RSA_X_509, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, p11.CKM_RSA_PKCS_OAEP,
	}, curves: curves(), rsa: make(map[int]*rsa.PrivateKey)}
	for i, label := range labels {
		f.tokens = append(f.tokens, &fakeToken{
			slot: uint(i), pin: "1234", info: tokenInfo{label: label, serial: "serial of " + label, manufacturer: "Fake", model: "1"},
		})
	}
	return f
}

// arm adds a fault.
func (f *fake) arm(x failing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &x)
}

// disarm removes all faults.
func (f *fake) disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// traced runs fn and answers the functions that were called.
func (f *fake) traced(fn func()) []string {
	f.mu.Lock()
	f.trace = nil
	f.mu.Unlock()
	fn()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trace)
}

// do is every call to the module.
func (f *fake) do(function string, s sessionHandle, fn func(*fakeSession) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace = append(f.trace, function)
	if !f.initialized && function != "C_Initialize" {
		return failure(function, p11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	session := f.sessions[s]
	if session != nil {
		if session.busy {
			f.t.Errorf("%s: two calls at once in one session", function)
		}
		session.busy = true
		defer func() { session.busy = false }()
	}
	f.inside++
	defer func() { f.inside-- }()
	x := f.due(function)
	if x != nil && x.hang != nil {
		f.mu.Unlock()
		<-x.hang
		f.mu.Lock()
	}
	var err error
	if x == nil || x.effect || x.code == p11.CKR_OK {
		if s != 0 && session == nil {
			return failure(function, p11.CKR_SESSION_HANDLE_INVALID)
		}
		err = fn(session)
	}
	if x != nil && x.lose != nil {
		x.lose(f)
	}
	if x != nil && x.code != p11.CKR_OK {
		return failure(function, x.code)
	}
	return err
}

// due answers the fault that a call meets.
func (f *fake) due(function string) *failing {
	for i, x := range f.faults {
		if x.function != function {
			continue
		}
		if x.skip > 0 {
			x.skip--
			continue
		}
		if !x.always {
			f.faults = slices.Delete(f.faults, i, i+1)
		}
		return x
	}
	return nil
}

// What tokens forget.

func loseNothing(*fake) {}

func loseLogins(f *fake) {
	for _, t := range f.tokens {
		t.loggedIn = false
	}
	loseSessionObjects(f)
}

func loseSessions(f *fake) {
	f.sessions = make(map[sessionHandle]*fakeSession)
	loseLogins(f)
}

func loseSessionObjects(f *fake) {
	for h, o := range f.objects {
		if o.owner != 0 {
			delete(f.objects, h)
		}
	}
}

func loseModule(f *fake) {
	loseSessions(f)
	f.initialized, f.objects = false, nil
}

// loseSlots makes everything fail until the module is initialized anew, when the
// token is in another slot.
func loseSlots(f *fake) {
	loseModule(f)
	for _, t := range f.tokens {
		t.slot += 10
	}
}

// sessionObjects counts the session objects.
func (f *fake) sessionObjects() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, o := range f.objects {
		if o.owner != 0 {
			n++
		}
	}
	return n
}

// free answers the lowest handle that is not in use.
func free[H ~uint, V any](used map[H]V) H {
	h := H(1)
	for {
		if _, ok := used[h]; !ok {
			return h
		}
		h++
	}
}

func (f *fake) Initialize() error {
	return f.do("C_Initialize", 0, func(*fakeSession) error {
		if f.initialized {
			return failure("C_Initialize", p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
		}
		f.initialized = true
		f.sessions = make(map[sessionHandle]*fakeSession)
		f.objects = make(map[objectHandle]*fakeObject)
		for _, t := range f.tokens {
			slices.Reverse(t.objects) // other handles than before
			for _, o := range t.objects {
				f.objects[free(f.objects)] = o
			}
		}
		return nil
	})
}

func (f *fake) Finalize() error {
	return f.do("C_Finalize", 0, func(*fakeSession) error {
		if f.inside > 1 {
			f.t.Errorf("C_Finalize beside %d other calls", f.inside-1)
		}
		loseModule(f)
		return nil
	})
}

func (f *fake) Slots() (slots []uint, err error) {
	err = f.do("C_GetSlotList", 0, func(*fakeSession) error {
		for _, t := range f.tokens {
			if !t.absent {
				slots = append(slots, t.slot)
			}
		}
		return nil
	})
	return slots, err
}

func (f *fake) token(slot uint) *fakeToken {
	i := slices.IndexFunc(f.tokens, func(t *fakeToken) bool { return t.slot == slot && !t.absent })
	if i < 0 {
		return nil
	}
	return f.tokens[i]
}

func (f *fake) TokenInfo(slot uint) (info tokenInfo, err error) {
	err = f.do("C_GetTokenInfo", 0, func(*fakeSession) error {
		t := f.token(slot)
		if t == nil {
			return failure("C_GetTokenInfo", p11.CKR_TOKEN_NOT_PRESENT)
		}
		info = t.info
		return nil
	})
	return info, err
}

func (f *fake) Mechanisms(uint) (list []uint, err error) {
	err = f.do("C_GetMechanismList", 0, func(*fakeSession) error { list = f.mechanisms; return nil })
	return list, err
}

func (f *fake) OpenSession(slot uint) (h sessionHandle, err error) {
	err = f.do("C_OpenSession", 0, func(*fakeSession) error {
		t := f.token(slot)
		if t == nil {
			return failure("C_OpenSession", p11.CKR_SLOT_ID_INVALID)
		}
		h = free(f.sessions)
		f.sessions[h] = &fakeSession{token: t}
		return nil
	})
	return h, err
}

func (f *fake) CloseSession(s sessionHandle) error {
	return f.do("C_CloseSession", s, func(*fakeSession) error {
		delete(f.sessions, s)
		for h, o := range f.objects {
			if o.owner == s {
				delete(f.objects, h)
			}
		}
		return nil
	})
}

func (f *fake) SessionInfo(s sessionHandle) (slot uint, loggedIn bool, err error) {
	err = f.do("C_GetSessionInfo", s, func(session *fakeSession) error {
		slot, loggedIn = session.token.slot, session.token.loggedIn
		return nil
	})
	return slot, loggedIn, err
}

func (f *fake) Login(s sessionHandle, pin string) error {
	return f.do("C_Login", s, func(session *fakeSession) error {
		session.token.logins++
		switch {
		case session.token.loggedIn:
			return failure("C_Login", p11.CKR_USER_ALREADY_LOGGED_IN)
		case pin != session.token.pin:
			return failure("C_Login", p11.CKR_PIN_INCORRECT)
		}
		session.token.loggedIn = true
		return nil
	})
}

func (f *fake) Random(s sessionHandle, n int) (b []byte, err error) {
	err = f.do("C_GenerateRandom", s, func(*fakeSession) error { b = random(n); return nil })
	return b, err
}

func (f *fake) Find(s sessionHandle, template []attribute) (found []objectHandle, err error) {
	err = f.do("C_FindObjects", s, func(session *fakeSession) error {
		for h, o := range f.objects {
			if f.visible(session, o) && o.matches(template) {
				found = append(found, h)
			}
		}
		slices.SortFunc(found, func(a, b objectHandle) int { return cmp.Compare(a, b) })
		return nil
	})
	return found, err
}

func (f *fake) Attribute(s sessionHandle, h objectHandle, kind uint) (value []byte, err error) {
	err = f.do("C_GetAttributeValue", s, func(session *fakeSession) error {
		o := f.objects[h]
		if o == nil || !f.visible(session, o) {
			return failure("C_GetAttributeValue", p11.CKR_OBJECT_HANDLE_INVALID)
		}
		value = o.read(kind)
		return nil
	})
	return value, err
}

func (f *fake) Destroy(s sessionHandle, h objectHandle) error {
	return f.do("C_DestroyObject", s, func(session *fakeSession) error {
		o := f.objects[h]
		if o == nil || !f.visible(session, o) {
			return failure("C_DestroyObject", p11.CKR_OBJECT_HANDLE_INVALID)
		}
		if o.owner == 0 {
			if o.attribute(p11.CKA_CLASS) != uint(p11.CKO_DATA) {
				f.t.Error("a key of the token is destroyed")
			}
			o.token.objects = slices.DeleteFunc(o.token.objects, func(other *fakeObject) bool { return other == o })
		}
		delete(f.objects, h)
		return nil
	})
}

// visible: private objects exist for who is logged in to their token.
func (f *fake) visible(session *fakeSession, o *fakeObject) bool {
	return o.token == session.token && (!o.is(p11.CKA_PRIVATE) || session.token.loggedIn)
}
