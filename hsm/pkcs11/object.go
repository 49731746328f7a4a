package pkcs11

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/cache"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

// object is a session object that the partition keeps for later calls: an
// unwrapped key, or one derived from it.
type object struct {
	handle objectHandle
	epoch  uint64
	subkey [xaes.BlockSize]byte // K1, of an unwrapped secret key
	nonces *xaes.Epoch          // of a key that seals
	// modulus is of an unwrapped RSA key.
	modulus *big.Int
}

type entry = cache.Entry[object]

// What a cached object is for; the first byte of its cache key.
const (
	forUse        = 'u' // unwrapped secret: derives
	forSealing    = 's' // derived
	forOpening    = 'o' // derived
	forMAC        = 'm' // unwrapped secret
	forSigning    = 'g' // unwrapped private key, like the following
	forDecrypting = 'd'
	forUnwrapping = 'w'
	forAgreeing   = 'a'
)

// usageOf is what an unwrapped private key may do, which is one thing: tokens in
// a FIPS 140 mode insist.
func usageOf(purpose byte) uint {
	switch purpose {
	case forSigning:
		return p11.CKA_SIGN
	case forDecrypting:
		return p11.CKA_DECRYPT
	case forUnwrapping:
		return p11.CKA_UNWRAP
	default:
		return p11.CKA_DERIVE
	}
}

// cached answers the object of a wrapped key, making it where it is not cached
// or from an earlier epoch.
func (s *session) cached(purpose byte, key *hsm.WrappedKey, extra []byte, create func() (object, error)) (*entry, error) {
	var buf [256]byte
	g := key.Generation
	id := append(buf[:0], purpose, byte(g>>24), byte(g>>16), byte(g>>8), byte(g), byte(len(key.Spec)))
	id = append(id, key.Spec...)
	id = append(append(id, key.Wrapped...), extra...)
	if e := s.p.objects.Get(id); e != nil {
		if e.Value.epoch == s.w.epoch {
			return e, nil
		}
		s.p.objects.Remove(e)
		e.Release()
	}
	o, err := create()
	if err != nil {
		return nil, err
	}
	o.epoch = s.w.epoch
	return s.p.objects.Add(id, o), nil
}

// secret answers an unwrapped SYMMETRIC_DEFAULT key.
func (s *session) secret(key *hsm.WrappedKey) (*entry, error) {
	return s.cached(forUse, key, nil, func() (object, error) {
		if len(key.Wrapped) != wrappedSecretSize {
			return object{}, fmt.Errorf("a wrapped secret key of %d bytes: %w", len(key.Wrapped), hsm.ErrInvalidKey)
		}
		h, err := s.unwrap(key, secretKey(false, false, p11.CKA_ENCRYPT, p11.CKA_DERIVE))
		if err != nil {
			return object{}, err
		}
		// L = AES_K(0^128) leaves the token, and K1 with it. That is no key
		// material: K encrypts nothing but L and the inputs of the derivation, and
		// to who does not have K, AES_K at those is as random with L known as it is
		// without, as long as no input is 0^128 (chance: 2^-127 per derivation).
		// Deriving L instead, into a readable object, would tell as much and ask
		// more of the token.
		l, err := s.EncryptBlock(s.handle, h, [xaes.BlockSize]byte{})
		if err != nil {
			s.destroy(h)
			if errors.Is(err, hsm.ErrUnsupported) { // 25 to 31 bytes that are no AES key
				err = blame(err, hsm.ErrInvalidKey)
			}
			return object{}, err
		}
		return object{handle: h, subkey: xaes.Subkey(l)}, nil
	})
}

// authenticator answers an unwrapped HMAC_… key.
func (s *session) authenticator(key *hsm.WrappedKey, r *recipe) (*entry, error) {
	return s.cached(forMAC, key, nil, func() (object, error) {
		if len(key.Wrapped) != wrappedSize(r.size) {
			return object{}, fmt.Errorf("a wrapped secret key of %d bytes: %w", len(key.Wrapped), hsm.ErrInvalidKey)
		}
		// SoftHSM 2.6.1 leaves the padding of a 28-byte key on it. HMAC pads with the
		// same zeros (FIPS 198-1 §4).
		h, err := s.unwrap(key, secretOf(r.keyType, false, false, p11.CKA_SIGN))
		return object{handle: h}, err
	})
}

// private answers an unwrapped private key, good for one purpose.
func (s *session) private(purpose byte, key *hsm.WrappedKey) (*entry, error) {
	return s.cached(purpose, key, nil, func() (object, error) {
		r := recipeOf(key.Spec)
		h, err := s.unwrap(key, privateKey(r.keyType, false, false, usageOf(purpose)))
		if err != nil {
			return object{}, err
		}
		modulus, err := s.confirm(h, r)
		if err != nil {
			s.destroy(h)
			return object{}, err
		}
		return object{handle: h, modulus: modulus}, nil
	})
}

// confirm checks that an unwrapped private key is of its recipe, and answers the
// modulus of an RSA key.
func (s *session) confirm(h objectHandle, r *recipe) (modulus *big.Int, err error) {
	if r.keyType == p11.CKK_RSA {
		n, err := s.Attribute(s.handle, h, p11.CKA_MODULUS)
		if err != nil {
			return nil, err
		}
		if modulus = new(big.Int).SetBytes(n); modulus.BitLen() != 8*r.size {
			return nil, fmt.Errorf("an RSA key of %d bits: %w", modulus.BitLen(), hsm.ErrInvalidKey)
		}
		return modulus, nil
	}
	curve, err := s.Attribute(s.handle, h, p11.CKA_EC_PARAMS)
	if err == nil && len(curve) > 0 && r.keyType == p11.CKK_EC && !bytes.Equal(curve, r.parameter) {
		err = fmt.Errorf("a key of another curve: %w", hsm.ErrInvalidKey)
	}
	return nil, err
}

// sealer answers a key derived to seal messages, with the nonces to use.
func (s *session) sealer(key *hsm.WrappedKey) (*entry, error) {
	return s.cached(forSealing, key, nil, func() (object, error) {
		random, err := s.Random(s.handle, xaes.SeedSize)
		if err != nil {
			return object{}, err
		}
		if len(random) != xaes.SeedSize {
			return object{}, fmt.Errorf("C_GenerateRandom: %d bytes: %w", len(random), hsm.ErrUnavailable)
		}
		nonces := xaes.NewEpoch([xaes.SeedSize]byte(random))
		h, err := s.derive(key, nonces.Prefix(), p11.CKA_ENCRYPT)
		return object{handle: h, nonces: nonces}, err
	})
}

// opener answers the key derived to open messages with a nonce prefix.
func (s *session) opener(key *hsm.WrappedKey, prefix [xaes.PrefixSize]byte) (*entry, error) {
	return s.cached(forOpening, key, prefix[:], func() (object, error) {
		h, err := s.derive(key, prefix, p11.CKA_DECRYPT)
		return object{handle: h}, err
	})
}

func (s *session) derive(key *hsm.WrappedKey, prefix [xaes.PrefixSize]byte, usage uint) (objectHandle, error) {
	base, err := s.secret(key)
	if err != nil {
		return 0, err
	}
	defer base.Release()
	in := xaes.Input(base.Value.subkey, prefix)
	template := append(secretKey(false, false, usage), attribute{p11.CKA_VALUE_LEN, uint(secretSize)})
	return s.Derive(s.handle, base.Value.handle, in[:], template)
}

// unwrap unwraps a key into a session object.
func (s *session) unwrap(key *hsm.WrappedKey, template []attribute) (objectHandle, error) {
	d, err := s.domain(key.Generation)
	if err != nil {
		return 0, err
	}
	if len(key.Wrapped) == 0 {
		return 0, hsm.ErrInvalidKey
	}
	return judged(s, hsm.ErrInvalidKey, func() (objectHandle, error) {
		return s.Unwrap(s.handle, s.p.kwp, d.handle, key.Wrapped, template)
	})
}

// judged runs a C_Decrypt or C_UnwrapKey. Where it fails for the input, the error
// is the sentinel mistake; where the token failed, it is as it came. Many modules
// have one code for both: then the token has to prove that it works, and to fail
// the same input twice.
func judged[T any](s *session, mistake error, fn func() (T, error)) (T, error) {
	result, err := fn()
	switch judge(err) {
	case input:
		return result, blame(err, mistake)
	case unclear:
		if s.prove() != nil {
			return result, err
		}
		if result, err = fn(); judge(err) != device {
			return result, blame(err, mistake)
		}
	}
	return result, err
}

// proofLasts is how long a proof that the token works is good for: who sends
// wrong ciphertexts should not make the token do more work than who sends right
// ones.
const proofLasts = time.Second

func (s *session) prove() error {
	if proved := s.p.proved.Load(); proved != 0 && s.p.elapsed()-time.Duration(proved) < proofLasts {
		return nil
	}
	return s.check()
}

// destroy destroys an object that nobody else knows of. A failure leaves an
// object too many, until the session ends.
func (s *session) destroy(h objectHandle) { _ = s.Destroy(s.handle, h) }

// garbage are objects that left the cache and wait to be destroyed.
type garbage struct {
	mu      sync.Mutex
	objects []object
}

// discard is the cache's drop function: whoever released the object last may be
// a caller outside the module, so the next call inside destroys it.
func (p *Partition) discard(o object) {
	p.garbage.mu.Lock()
	defer p.garbage.mu.Unlock()
	p.garbage.objects = append(p.garbage.objects, o)
}

// sweepBatch is more than a call can discard, so that the garbage does not grow.
const sweepBatch = 8

// sweep destroys garbage. Objects of an earlier epoch are gone already, and
// their handles may be other objects by now.
func (p *Partition) sweep(s *session) {
	p.garbage.mu.Lock()
	n := min(len(p.garbage.objects), sweepBatch)
	batch := p.garbage.objects[len(p.garbage.objects)-n:]
	batch = append([]object(nil), batch...)
	p.garbage.objects = p.garbage.objects[:len(p.garbage.objects)-n]
	p.garbage.mu.Unlock()
	for _, o := range batch {
		if o.epoch == s.w.epoch {
			s.destroy(o.handle)
		}
	}
}
