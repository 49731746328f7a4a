package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"math/big"

	p11 "github.com/miekg/pkcs11"
)

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

func hashOf(number uint) crypto.Hash {
	switch number {
	case p11.CKM_SHA_1:
		return crypto.SHA1
	case p11.CKM_SHA224_HMAC:
		return crypto.SHA224
	case p11.CKM_SHA256, p11.CKM_SHA256_HMAC:
		return crypto.SHA256
	case p11.CKM_SHA384, p11.CKM_SHA384_HMAC:
		return crypto.SHA384
	default:
		return crypto.SHA512
	}
}

func (f *fake) Sign(s sessionHandle, m mechanism, key objectHandle, data []byte) (signature []byte, err error) {
	err = f.do("C_Sign", s, func(session *fakeSession) error {
		o, err := f.use("C_SignInit", session, key, p11.CKA_SIGN)
		if err == nil {
			signature, err = o.sign(m, data)
		}
		return err
	})
	return signature, err
}

func (o *fakeObject) sign(m mechanism, data []byte) ([]byte, error) {
	switch m.number {
	case p11.CKM_ECDSA:
		r, v, err := ecdsa.Sign(rand.Reader, o.ec, data)
		if err != nil {
			return nil, err
		}
		n := (o.ec.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, n)), v.FillBytes(make([]byte, n))...), nil
	case p11.CKM_RSA_PKCS:
		return rsa.SignPKCS1v15(nil, o.rsa, 0, data)
	case p11.CKM_RSA_PKCS_PSS:
		return rsa.SignPSS(rand.Reader, o.rsa, hashOf(m.hash), data, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case signEdDSA:
		if m.prehash {
			digest := sha512.Sum512(data)
			return o.ed.Sign(nil, digest[:], &ed25519.Options{Hash: crypto.SHA512})
		}
		return o.ed.Sign(nil, data, &ed25519.Options{})
	default:
		if len(o.secret) < hashOf(m.number).Size() { // as SoftHSM
			return nil, failure("C_SignInit", p11.CKR_KEY_SIZE_RANGE)
		}
		mac := hmac.New(hashOf(m.number).New, o.secret)
		mac.Write(data)
		return mac.Sum(nil), nil
	}
}

func (f *fake) Decrypt(s sessionHandle, m mechanism, key objectHandle, ciphertext []byte) (out []byte, err error) {
	err = f.do("C_Decrypt", s, func(session *fakeSession) error {
		o, err := f.use("C_DecryptInit", session, key, p11.CKA_DECRYPT)
		if err != nil {
			return err
		}
		if m.number == p11.CKM_RSA_X_509 {
			out = new(big.Int).Exp(new(big.Int).SetBytes(ciphertext), o.rsa.D, o.rsa.N).Bytes()
			return nil
		}
		if f.vague && m.hash != p11.CKM_SHA_1 {
			return failure("C_DecryptInit", p11.CKR_ARGUMENTS_BAD)
		}
		if out, err = rsa.DecryptOAEP(hashOf(m.hash).New(), nil, o.rsa, ciphertext, nil); err != nil {
			return f.wrong("C_Decrypt", p11.CKR_ENCRYPTED_DATA_INVALID)
		}
		return nil
	})
	return out, err
}

func (f *fake) DeriveECDH(s sessionHandle, base objectHandle, point []byte, template []attribute) (objectHandle, error) {
	return f.making("C_DeriveKey", s, template, func(session *fakeSession) (*fakeObject, error) {
		o, err := f.use("C_DeriveKey", session, base, p11.CKA_DERIVE)
		if err != nil {
			return nil, err
		}
		own, err := o.ec.ECDH()
		if err != nil {
			return nil, err
		}
		peer, err := own.Curve().NewPublicKey(point)
		if err != nil {
			return nil, f.wrong("C_DeriveKey", p11.CKR_MECHANISM_PARAM_INVALID)
		}
		secret, err := own.ECDH(peer)
		if !f.vague && err == nil { // modules that make numbers of secrets
			leading := len(secret) - len(bytes.TrimLeft(secret, "\x00"))
			secret = secret[min(leading, len(secret)-1):]
		}
		return &fakeObject{secret: secret}, err
	})
}

func (f *fake) Value(s sessionHandle, h objectHandle) (value []byte, err error) {
	err = f.do("C_GetAttributeValue", s, func(session *fakeSession) error {
		o := f.objects[h]
		switch {
		case o == nil || !f.visible(session, o):
			return failure("C_GetAttributeValue", p11.CKR_OBJECT_HANDLE_INVALID)
		case o.secret == nil || o.is(p11.CKA_SENSITIVE) || !o.is(p11.CKA_EXTRACTABLE):
			return failure("C_GetAttributeValue", p11.CKR_ATTRIBUTE_SENSITIVE)
		}
		value = bytes.Clone(o.secret)
		return nil
	})
	return value, err
}
