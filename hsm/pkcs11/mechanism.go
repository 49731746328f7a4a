package pkcs11

import (
	"bytes"
	"crypto/aes"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

// keyWrapKWP is CKM_AES_KEY_WRAP_KWP (PKCS #11 v3.0 §2.14), which is RFC 5649 by
// definition. CKM_AES_KEY_WRAP_PAD is with most modules, SoftHSM among them; in
// some it is RFC 3394 over PKCS#7 padding.
const keyWrapKWP = 0x210B

// findKWP answers the mechanism that is RFC 5649, having seen it work.
func (s *session) findKWP(list []uint) (mechanism, error) {
	for _, number := range []uint{keyWrapKWP, p11.CKM_AES_KEY_WRAP_PAD} {
		if !slices.Contains(list, number) {
			continue
		}
		m := mechanism{number: number}
		err := s.tryKWP(m)
		if err == nil {
			return m, nil
		}
		s.p.log.Info("a key wrapping mechanism is not RFC 5649", "mechanism", number, "error", err)
	}
	return mechanism{}, fmt.Errorf("the token has no AES key wrapping by RFC 5649: %w", hsm.ErrUnsupported)
}

// tryKWP wraps a known key under another and compares. A token that takes no
// keys in clear (FIPS 140 modes) is believed.
func (s *session) tryKWP(m mechanism) error {
	kek, key := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	known := func(value []byte, usage uint) (objectHandle, error) {
		return s.Create(s.handle, []attribute{
			{p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)}, {p11.CKA_KEY_TYPE, uint(p11.CKK_AES)},
			{p11.CKA_TOKEN, false}, {p11.CKA_EXTRACTABLE, true}, {usage, true}, {p11.CKA_VALUE, value},
		})
	}
	a, err := known(kek, p11.CKA_WRAP)
	if err != nil {
		return s.believe(err)
	}
	defer s.destroy(a)
	b, err := known(key, p11.CKA_ENCRYPT)
	if err != nil {
		return s.believe(err)
	}
	defer s.destroy(b)
	got, err := s.Wrap(s.handle, m, a, b)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return err
	}
	want, err := kwp.Wrap(block, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("it wraps differently")
	}
	return nil
}

func (s *session) believe(err error) error {
	if !errors.Is(err, hsm.ErrUnsupported) {
		return err
	}
	s.p.log.Info("the token takes no keys in clear; its key wrapping mechanism was not tried", "error", err)
	return nil
}
