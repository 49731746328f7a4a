package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP's hash; hsm.Domain.ExportDomain says why
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm/kwp"
)

// fakeObject is a key in the fake.
type fakeObject struct {
	token    *fakeToken
	owner    sessionHandle // 0 for a token object
	template []attribute
	secret   []byte
	ec       *ecdsa.PrivateKey // of both halves of a pair
	rsa      *rsa.PrivateKey   // likewise
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
	case kind == p11.CKA_EC_POINT && o.ec != nil:
		point, err := o.ec.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		point, err = asn1.Marshal(point)
		if err != nil {
			panic(err)
		}
		return point
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
			o.secret = o.read(p11.CKA_VALUE)
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
		return &fakeObject{secret: random(32)}, nil
	})
}

func (f *fake) GenerateKeyPair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error) {
	err = f.do("C_GenerateKeyPair", s, func(session *fakeSession) error {
		if !session.token.loggedIn {
			return failure("C_GenerateKeyPair", p11.CKR_USER_NOT_LOGGED_IN)
		}
		var pair fakeObject
		var err error
		if mechanism == p11.CKM_EC_KEY_PAIR_GEN {
			pair.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		} else if pair.rsa = f.rsa; pair.rsa == nil {
			pair.rsa, err = rsa.GenerateKey(rand.Reader, 3072)
		}
		if err != nil {
			return err
		}
		if pair.rsa != nil {
			pair.public = &pair.rsa.PublicKey
		}
		other := pair
		pub, priv = f.add(s, session, &pair, public), f.add(s, session, &other, private)
		return nil
	})
	return pub, priv, err
}

func (f *fake) Wrap(s sessionHandle, mechanism uint, kek, key objectHandle) (wrapped []byte, err error) {
	err = f.do("C_WrapKey", s, func(session *fakeSession) error {
		by, err := f.use("C_WrapKey", session, kek, p11.CKA_WRAP)
		if err != nil {
			return err
		}
		o, err := f.use("C_WrapKey", session, key, p11.CKA_EXTRACTABLE)
		if err != nil {
			return err
		}
		raw := o.secret
		if o.ec != nil {
			if raw, err = x509.MarshalPKCS8PrivateKey(o.ec); err != nil {
				return err
			}
		}
		if mechanism == p11.CKM_RSA_PKCS_OAEP {
			wrapped, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, by.public, raw, nil)
			return err
		}
		if mechanism == p11.CKM_AES_KEY_WRAP_PAD && f.wrongPad {
			wrapped = make([]byte, 48)
			return nil
		}
		wrapped, err = kwp.Wrap(expand(by.secret), raw)
		return err
	})
	return wrapped, err
}

func expand(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return block
}

func (f *fake) Unwrap(s sessionHandle, mechanism uint, kek objectHandle, wrapped []byte, template []attribute) (objectHandle, error) {
	return f.making("C_UnwrapKey", s, template, func(session *fakeSession) (*fakeObject, error) {
		by, err := f.use("C_UnwrapKey", session, kek, p11.CKA_UNWRAP)
		if err != nil {
			return nil, err
		}
		var raw []byte
		if mechanism == p11.CKM_RSA_PKCS_OAEP {
			raw, err = rsa.DecryptOAEP(sha1.New(), nil, by.rsa, wrapped, nil)
		} else {
			raw, err = kwp.Unwrap(expand(by.secret), wrapped)
		}
		if err != nil {
			return nil, f.wrong("C_UnwrapKey", p11.CKR_WRAPPED_KEY_INVALID)
		}
		o := &fakeObject{secret: raw, template: template}
		if o.attribute(p11.CKA_CLASS) == uint(p11.CKO_PRIVATE_KEY) {
			parsed, err := x509.ParsePKCS8PrivateKey(raw)
			key, ok := parsed.(*ecdsa.PrivateKey)
			if err != nil || !ok {
				return nil, f.wrong("C_UnwrapKey", p11.CKR_WRAPPED_KEY_INVALID)
			}
			o.ec = key
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

func (f *fake) EncryptBlock(s sessionHandle, key objectHandle, in [16]byte) (out [16]byte, err error) {
	err = f.do("C_Encrypt", s, func(session *fakeSession) error {
		o, err := f.use("C_EncryptInit", session, key, p11.CKA_ENCRYPT)
		if err != nil {
			return err
		}
		if n := len(o.secret); n != 16 && n != 24 && n != 32 {
			return failure("C_EncryptInit", p11.CKR_MECHANISM_INVALID)
		}
		expand(o.secret).Encrypt(out[:], in[:])
		return nil
	})
	return out, err
}

func (f *fake) gcm(function string, session *fakeSession, key objectHandle, usage uint) (cipher.AEAD, error) {
	o, err := f.use(function, session, key, usage)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(expand(o.secret))
}

func (f *fake) SealGCM(s sessionHandle, key objectHandle, nonce, plaintext, aad []byte) (out []byte, err error) {
	err = f.do("C_Encrypt", s, func(session *fakeSession) error {
		aead, err := f.gcm("C_EncryptInit", session, key, p11.CKA_ENCRYPT)
		if err == nil {
			out = aead.Seal(nil, nonce, plaintext, aad)
		}
		return err
	})
	return out, err
}

func (f *fake) OpenGCM(s sessionHandle, key objectHandle, nonce, ciphertext, aad []byte) (out []byte, err error) {
	err = f.do("C_Decrypt", s, func(session *fakeSession) error {
		aead, err := f.gcm("C_DecryptInit", session, key, p11.CKA_DECRYPT)
		if err != nil {
			return err
		}
		if out, err = aead.Open(nil, nonce, ciphertext, aad); err != nil {
			return f.wrong("C_Decrypt", p11.CKR_ENCRYPTED_DATA_INVALID)
		}
		return nil
	})
	return out, err
}

func (f *fake) SignECDSA(s sessionHandle, key objectHandle, digest []byte) (signature []byte, err error) {
	err = f.do("C_Sign", s, func(session *fakeSession) error {
		o, err := f.use("C_SignInit", session, key, p11.CKA_SIGN)
		if err != nil {
			return err
		}
		r, v, err := ecdsa.Sign(rand.Reader, o.ec, digest)
		if err != nil {
			return err
		}
		signature = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
		return nil
	})
	return signature, err
}
