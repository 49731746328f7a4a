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

// capabilities are what the token can do beyond what the partition needs.
type capabilities struct {
	transport bool // RSA key pairs and OAEP: domain keys can go in and out
	ecc       bool // key pairs and ECDSA
}

// needed are the mechanisms without which there is no partition.
var needed = map[uint]string{
	p11.CKM_AES_KEY_GEN:          "CKM_AES_KEY_GEN",
	p11.CKM_AES_GCM:              "CKM_AES_GCM",
	p11.CKM_AES_ECB:              "CKM_AES_ECB",
	p11.CKM_AES_ECB_ENCRYPT_DATA: "CKM_AES_ECB_ENCRYPT_DATA",
	p11.CKM_EC_KEY_PAIR_GEN:      "CKM_EC_KEY_PAIR_GEN",
	p11.CKM_ECDSA:                "CKM_ECDSA",
}

func (c capabilities) specs() []hsm.KeySpec {
	specs := []hsm.KeySpec{hsm.SymmetricDefault}
	if c.ecc {
		specs = append(specs, hsm.ECCNistP256)
	}
	return specs
}

// prepare finds out what the token can do, and makes the identity key where
// there is none.
func (p *Partition) prepare() error {
	w := p.world.Load()
	list, err := p.module.Mechanisms(w.slot)
	if err != nil {
		return err
	}
	for number, name := range needed {
		if !slices.Contains(list, number) {
			return fmt.Errorf("the token lacks %s: %w", name, hsm.ErrUnsupported)
		}
	}
	p.can = capabilities{
		transport: slices.Contains(list, p11.CKM_RSA_PKCS_KEY_PAIR_GEN) && slices.Contains(list, p11.CKM_RSA_PKCS_OAEP),
		ecc:       true,
	}
	s := &session{cryptoki: p.module.cryptoki, handle: w.anchor, w: w, p: p}
	if p.kwp, err = s.findKWP(list); err != nil {
		return err
	}
	if w.identity == 0 {
		if err := s.createIdentity(); err != nil {
			return fmt.Errorf("making the identity key: %w", err)
		}
	}
	p.public = p.world.Load().public
	return nil
}

// findKWP answers the mechanism that is RFC 5649, having seen it work.
func (s *session) findKWP(list []uint) (uint, error) {
	for _, mechanism := range []uint{keyWrapKWP, p11.CKM_AES_KEY_WRAP_PAD} {
		if !slices.Contains(list, mechanism) {
			continue
		}
		err := s.tryKWP(mechanism)
		if err == nil {
			return mechanism, nil
		}
		s.p.log.Info("a key wrapping mechanism is not RFC 5649", "mechanism", mechanism, "error", err)
	}
	return 0, fmt.Errorf("the token has no AES key wrapping by RFC 5649: %w", hsm.ErrUnsupported)
}

// tryKWP wraps a known key under another and compares. A token that takes no
// keys in clear (FIPS 140 modes) is believed.
func (s *session) tryKWP(mechanism uint) error {
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
	got, err := s.Wrap(s.handle, mechanism, a, b)
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
