package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP's hash; hsm.Domain.ExportDomain says why
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

// fakeObject is a key in the fake.
type fakeObject struct {
	token    *fakeToken
	owner    sessionHandle // 0 for a token object
	template []attribute
	secret   []byte
	ec       *ecdsa.PrivateKey  // of both halves of a pair
	rsa      *rsa.PrivateKey    // likewise
	ed       ed25519.PrivateKey // likewise
	public   *rsa.PublicKey
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func (o *fakeObject) attribute(kind uint) any {
	for _, a := range o.template {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

func (o *fakeObject) is(kind uint) bool { b, _ := o.attribute(kind).(bool); return b }

func (o *fakeObject) matches(template []attribute) bool {
	return !slices.ContainsFunc(template, func(a attribute) bool { return o.attribute(a.kind) != a.value })
}

func (o *fakeObject) read(kind uint) []byte {
	switch {
	case kind == p11.CKA_EC_POINT && o.ec != nil && o.attribute(p11.CKA_CLASS) == uint(p11.CKO_PUBLIC_KEY):
		return octets(point(o.ec))
	case kind == p11.CKA_EC_POINT && o.ed != nil:
		return octets(o.ed.Public().(ed25519.PublicKey))
	case kind == p11.CKA_EC_PARAMS && o.ec != nil:
		return oidOf(o.ec.Curve)
	case kind == p11.CKA_MODULUS && o.public != nil:
		return o.public.N.Bytes()
	case kind == p11.CKA_PUBLIC_EXPONENT && o.public != nil:
		return big.NewInt(int64(o.public.E)).Bytes()
	}
	switch v := o.attribute(kind).(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	return nil
}

func point(key *ecdsa.PrivateKey) []byte {
	p, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return p
}

func octets(b []byte) []byte {
	der, err := asn1.Marshal(b)
	if err != nil {
		panic(err)
	}
	return der
}

// curves are the fake's: it has no secp256k1.
func curves() map[hsm.KeySpec]elliptic.Curve {
	return map[hsm.KeySpec]elliptic.Curve{
		hsm.ECCNistP256: elliptic.P256(), hsm.ECCNistP384: elliptic.P384(), hsm.ECCNistP521: elliptic.P521(),
	}
}

func oidOf(curve elliptic.Curve) []byte {
	for spec, c := range curves() {
		if c == curve {
			return recipeOf(spec).parameter
		}
	}
	return nil
}

func (f *fake) curveByOID(oid any) elliptic.Curve {
	for spec, c := range f.curves {
		if b, ok := oid.([]byte); ok && bytes.Equal(b, recipeOf(spec).parameter) {
			return c
		}
	}
	return nil
}

// add makes an object. It needs mu.
func (f *fake) add(s sessionHandle, session *fakeSession, o *fakeObject, template []attribute) objectHandle {
	o.token, o.owner, o.template = session.token, s, template
	if o.is(p11.CKA_TOKEN) {
		o.owner = 0
		session.token.objects = append(session.token.objects, o)
	}
	h := free(f.objects)
	f.objects[h] = o
	return h
}

// use answers a key that must be allowed to do something.
func (f *fake) use(function string, session *fakeSession, h objectHandle, usage uint) (*fakeObject, error) {
	o := f.objects[h]
	switch {
	case o == nil || !f.visible(session, o):
		return nil, failure(function, p11.CKR_KEY_HANDLE_INVALID)
	case !o.is(usage):
		return nil, failure(function, p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
	}
	return o, nil
}

// wrong answers the error for input that is not valid.
func (f *fake) wrong(function string, code uint) error {
	if f.vague {
		code = p11.CKR_GENERAL_ERROR
	}
	return failure(function, code)
}

// making is a call that makes one object.
func (f *fake) making(function string, s sessionHandle, template []attribute, fn func(*fakeSession) (*fakeObject, error)) (h objectHandle, err error) {
	err = f.do(function, s, func(session *fakeSession) error {
		if !session.token.loggedIn {
			return failure(function, p11.CKR_USER_NOT_LOGGED_IN)
		}
		o, err := fn(session)
		if err == nil {
			h = f.add(s, session, o, template)
		}
		return err
	})
	return h, err
}

func (f *fake) Create(s sessionHandle, template []attribute) (objectHandle, error) {
	return f.making("C_CreateObject", s, template, func(*fakeSession) (*fakeObject, error) {
		o := &fakeObject{template: template}
		if o.attribute(p11.CKA_CLASS) == uint(p11.CKO_SECRET_KEY) {
			o.secret = bytes.Clone(o.read(p11.CKA_VALUE))
		} else {
			o.public = &rsa.PublicKey{
				N: new(big.Int).SetBytes(o.read(p11.CKA_MODULUS)),
				E: int(new(big.Int).SetBytes(o.read(p11.CKA_PUBLIC_EXPONENT)).Int64()),
			}
		}
		return o, nil
	})
}

func (f *fake) GenerateKey(s sessionHandle, _ uint, template []attribute) (objectHandle, error) {
	return f.making("C_GenerateKey", s, template, func(*fakeSession) (*fakeObject, error) {
		o := &fakeObject{template: template}
		o.secret = random(int(o.attribute(p11.CKA_VALUE_LEN).(uint)))
		return o, nil
	})
}

func (f *fake) GenerateKeyPair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error) {
	err = f.do("C_GenerateKeyPair", s, func(session *fakeSession) error {
		if !session.token.loggedIn {
			return failure("C_GenerateKeyPair", p11.CKR_USER_NOT_LOGGED_IN)
		}
		pair, err := f.pair(mechanism, &fakeObject{template: public})
		if err != nil {
			return err
		}
		other := *pair
		pub, priv = f.add(s, session, pair, public), f.add(s, session, &other, private)
		return nil
	})
	return pub, priv, err
}

// pair makes a key pair as a template says.
func (f *fake) pair(mechanism uint, like *fakeObject) (*fakeObject, error) {
	var pair fakeObject
	var err error
	switch mechanism {
	case p11.CKM_EC_KEY_PAIR_GEN:
		curve := f.curveByOID(like.attribute(p11.CKA_EC_PARAMS))
		if curve == nil {
			return nil, failure("C_GenerateKeyPair", p11.CKR_CURVE_NOT_SUPPORTED)
		}
		pair.ec, err = ecdsa.GenerateKey(curve, rand.Reader)
	case edwardsKeyPairGen:
		_, pair.ed, err = ed25519.GenerateKey(rand.Reader)
	default:
		bits := int(like.attribute(p11.CKA_MODULUS_BITS).(uint))
		if f.rsa[bits] == nil {
			f.rsa[bits], err = rsa.GenerateKey(rand.Reader, bits)
		}
		if pair.rsa = f.rsa[bits]; err == nil {
			pair.public = &pair.rsa.PublicKey
		}
	}
	return &pair, err
}

// private answers the private key of an object, nil of a secret one.
func (o *fakeObject) private() any {
	switch {
	case o.ec != nil:
		return o.ec
	case o.rsa != nil:
		return o.rsa
	case o.ed != nil:
		return o.ed
	default:
		return nil
	}
}

// setPrivate takes PKCS#8 in, which must be of the template's type.
func (o *fakeObject) setPrivate(raw []byte) bool {
	parsed, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return false
	}
	var keyType uint
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		o.ec, keyType = key, p11.CKK_EC
	case *rsa.PrivateKey:
		o.rsa, o.public, keyType = key, &key.PublicKey, p11.CKK_RSA
	case ed25519.PrivateKey:
		o.ed, keyType = key, keyTypeEdwards
	}
	return o.attribute(p11.CKA_KEY_TYPE) == keyType
}

func (f *fake) Wrap(s sessionHandle, m mechanism, kek, key objectHandle) (wrapped []byte, err error) {
	err = f.do("C_WrapKey", s, func(session *fakeSession) error {
		by, err := f.use("C_WrapKey", session, kek, p11.CKA_WRAP)
		if err != nil {
			return err
		}
		o, err := f.use("C_WrapKey", session, key, p11.CKA_EXTRACTABLE)
		if err != nil {
			return err
		}
		if o.ed != nil && f.vague {
			return failure("C_WrapKey", p11.CKR_KEY_NOT_WRAPPABLE)
		}
		raw := o.secret
		if key := o.private(); key != nil {
			if raw, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
				return err
			}
		}
		if m.number == p11.CKM_RSA_PKCS_OAEP {
			wrapped, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, by.public, raw, nil)
			return err
		}
		if m.number == p11.CKM_AES_KEY_WRAP_PAD && f.wrongPad {
			wrapped = make([]byte, 48)
			return nil
		}
		wrapped, err = kwp.Wrap(expand(by.secret), raw)
		return err
	})
	return wrapped, err
}

// softens leaves padding on what was unwrapped, as SoftHSM does.
func (f *fake) softens(raw []byte) []byte {
	if f.vague {
		raw = append(raw, make([]byte, -len(raw)&7)...)
	}
	return raw
}

func expand(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block
}

func (f *fake) Unwrap(s sessionHandle, m mechanism, kek objectHandle, wrapped []byte, template []attribute) (objectHandle, error) {
	return f.making("C_UnwrapKey", s, template, func(session *fakeSession) (*fakeObject, error) {
		by, err := f.use("C_UnwrapKey", session, kek, p11.CKA_UNWRAP)
		if err != nil {
			return nil, err
		}
		var raw []byte
		switch {
		case m.number != p11.CKM_RSA_PKCS_OAEP:
			raw, err = kwp.Unwrap(expand(by.secret), wrapped)
			raw = f.softens(raw)
		case f.vague && m.hash != p11.CKM_SHA_1:
			return nil, failure("C_UnwrapKey", p11.CKR_ARGUMENTS_BAD)
		default:
			raw, err = rsa.DecryptOAEP(hashOf(m.hash).New(), nil, by.rsa, wrapped, nil)
		}
		if err != nil {
			return nil, f.wrong("C_UnwrapKey", p11.CKR_WRAPPED_KEY_INVALID)
		}
		o := &fakeObject{template: template}
		if o.attribute(p11.CKA_CLASS) == uint(p11.CKO_PRIVATE_KEY) {
			if !o.setPrivate(raw) {
				return nil, f.wrong("C_UnwrapKey", p11.CKR_WRAPPED_KEY_INVALID)
			}
		} else {
			o.secret = raw
		}
		return o, nil
	})
}

func (f *fake) Derive(s sessionHandle, base objectHandle, data []byte, template []attribute) (objectHandle, error) {
	return f.making("C_DeriveKey", s, template, func(session *fakeSession) (*fakeObject, error) {
		o, err := f.use("C_DeriveKey", session, base, p11.CKA_DERIVE)
		if err != nil {
			return nil, err
		}
		out, block := bytes.Clone(data), expand(o.secret)
		for i := 0; i < len(out); i += 16 {
			block.Encrypt(out[i:], out[i:])
		}
		return &fakeObject{secret: out}, nil
	})
}
