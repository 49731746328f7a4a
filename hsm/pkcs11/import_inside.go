package pkcs11

import (
	"bytes"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// keepsInside says whether the token can open an envelope and tell what is in it
// without giving it away.
func (s *session) keepsInside(spec hsm.KeySpec, e envelope, in *hsm.Import) (bool, error) {
	r := recipeOf(spec)
	switch {
	case !s.p.native(spec) || !s.p.native(in.Wrapping.Spec):
		return false, nil
	case r.secret() && r.size%8 != 0: // no token tells reliably how long its secret keys are
		return false, nil
	case r.keyType == keyTypeEdwards, r.keyType == p11.CKK_EC && !s.p.can.agreement: // nor the public key of these
		return false, nil
	case e.aes || e.hash == p11.CKM_SHA_1:
		return true, nil
	}
	bare, err := s.unpads(in)
	return !bare, err
}

// unpads says whether the token refuses OAEP with SHA-256, having it decrypt
// something once.
func (s *session) unpads(in *hsm.Import) (bool, error) {
	if !s.p.tried.Load() && s.p.can.bareRSA {
		key, err := s.private(forDecrypting, &in.Wrapping)
		if err != nil {
			return false, err
		}
		defer key.Release()
		two := make([]byte, recipeOf(in.Wrapping.Spec).size)
		two[len(two)-1] = 2
		plaintext, err := s.openOAEP(&key.Value, p11.CKM_SHA256, two)
		clear(plaintext)
		if err != nil && !errors.Is(err, hsm.ErrInvalidCiphertext) {
			return false, err
		}
		s.p.tried.Store(true)
	}
	return s.p.unpads.Load(), nil
}

// importInside unwraps material in the token, and wraps it again.
func (s *session) importInside(out *imported, d domainKey, e envelope, in *hsm.Import) error {
	r := recipeOf(out.key.Spec)
	h, err := s.takeIn(r, d, e, in)
	if err != nil {
		return err
	}
	defer s.destroy(h)
	image, err := judged(s, hsm.ErrInvalidKey, func() ([]byte, error) { return s.image(out.key.Spec, r, h) })
	if errors.Is(err, hsm.ErrUnsupported) { // a key of a length that is none
		err = blame(err, hsm.ErrInvalidKey)
	}
	if err != nil {
		return err
	}
	if !r.secret() {
		out.key.Public = image
	}
	out.print = algorithm.Fingerprint(out.key.Spec, image)
	out.key.Wrapped, err = s.Wrap(s.handle, s.p.kwp, d.handle, h)
	if err == nil && r.secret() && len(out.key.Wrapped) != wrappedSize(r.size) {
		err = fmt.Errorf("material of another length than %d bytes: %w", r.size, hsm.ErrInvalidKey)
	}
	return err
}

// takeIn answers an object with what is in the envelope.
func (s *session) takeIn(r *recipe, d domainKey, e envelope, in *hsm.Import) (objectHandle, error) {
	head, rest, err := e.split(in)
	if err != nil {
		return 0, err
	}
	if !e.aes {
		key, err := s.private(forUnwrapping, &in.Wrapping)
		if err != nil {
			return 0, err
		}
		defer key.Release()
		return s.admit(mechanism{number: p11.CKM_RSA_PKCS_OAEP, hash: e.hash}, key.Value.handle, head, r)
	}
	kek, err := s.takeKEK(d, e, in, head)
	if err != nil {
		return 0, err
	}
	defer s.destroy(kek)
	h, err := s.admit(s.p.kwp, kek, rest, r)
	if err != nil || !r.secret() {
		return h, err
	}
	// SoftHSM 2.6.1 makes a key of 32 bytes of one of 31, with its padding. Key
	// wrapping is deterministic, and authenticates the length.
	again, err := s.Wrap(s.handle, s.p.kwp, kek, h)
	if err == nil && !bytes.Equal(again, rest) {
		err = fmt.Errorf("material of another length than %d bytes: %w", r.size, hsm.ErrInvalidKey)
	}
	if err != nil {
		s.destroy(h)
		return 0, err
	}
	return h, nil
}

// takeKEK answers the AES key that is under the RSA key. Where we have to take
// the padding off, it is in memory for a moment; it is good for no more than this
// one envelope.
func (s *session) takeKEK(d domainKey, e envelope, in *hsm.Import, head []byte) (objectHandle, error) {
	bare := false
	if e.hash != p11.CKM_SHA_1 {
		var err error
		if bare, err = s.unpads(in); err != nil {
			return 0, err
		}
	}
	template := secretKey(false, true, p11.CKA_WRAP, p11.CKA_UNWRAP)
	if bare {
		key, err := s.private(forDecrypting, &in.Wrapping)
		if err != nil {
			return 0, err
		}
		defer key.Release()
		value, err := s.openOAEP(&key.Value, e.hash, head)
		if err != nil {
			return 0, err
		}
		defer clear(value)
		if len(value) != secretSize {
			return 0, fmt.Errorf("an AES key of %d bytes: %w", len(value), hsm.ErrInvalidCiphertext)
		}
		return s.Create(s.handle, append(template, attribute{p11.CKA_VALUE, value}))
	}
	key, err := s.private(forUnwrapping, &in.Wrapping)
	if err != nil {
		return 0, err
	}
	defer key.Release()
	kek, err := judged(s, hsm.ErrInvalidCiphertext, func() (objectHandle, error) {
		return s.Unwrap(s.handle, mechanism{number: p11.CKM_RSA_PKCS_OAEP, hash: e.hash}, key.Value.handle, head, template)
	})
	if err != nil {
		return 0, err
	}
	wrapped, err := s.Wrap(s.handle, s.p.kwp, d.handle, kek) // to see how long it is
	if err == nil && len(wrapped) != wrappedSecretSize {
		err = fmt.Errorf("an AES key of another length: %w", hsm.ErrInvalidCiphertext)
	}
	if err != nil {
		s.destroy(kek)
		return 0, err
	}
	return kek, nil
}

// admit unwraps material of a recipe. What does not unwrap so and does as a
// secret of any kind is no material of the recipe.
func (s *session) admit(m mechanism, kek objectHandle, wrapped []byte, r *recipe) (objectHandle, error) {
	template := privateKey(r.keyType, false, true, p11.CKA_SIGN)
	switch {
	case r.mac != 0:
		template = secretOf(r.keyType, false, true, p11.CKA_SIGN)
	case r.secret():
		template = secretKey(false, true, p11.CKA_ENCRYPT)
	case r.keyType == p11.CKK_EC:
		template = privateKey(r.keyType, false, true, p11.CKA_SIGN, p11.CKA_DERIVE)
	}
	if len(wrapped) == 0 {
		return 0, hsm.ErrInvalidCiphertext
	}
	h, err := judged(s, hsm.ErrInvalidCiphertext, func() (objectHandle, error) {
		return s.Unwrap(s.handle, m, kek, wrapped, template)
	})
	if !errors.Is(err, hsm.ErrInvalidCiphertext) {
		return h, err
	}
	if h, failed := s.Unwrap(s.handle, m, kek, wrapped, secretOf(p11.CKK_GENERIC_SECRET, false, true)); failed == nil {
		s.destroy(h)
		err = blame(err, hsm.ErrInvalidKey)
	}
	return 0, err
}
