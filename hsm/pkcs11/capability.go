package pkcs11

import (
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// capabilities are what the token can do beyond what the partition needs.
type capabilities struct {
	specs     []hsm.KeySpec // made and used in the token
	assisted  []hsm.KeySpec // kept by the token and used in memory
	all       []hsm.KeySpec
	transport bool // RSA key pairs and OAEP: domain keys can go in and out
	agreement bool // ECDH
	bareRSA   bool // CKM_RSA_X_509
}

// native says whether keys of a spec are made and used in the token.
func (p *Partition) native(spec hsm.KeySpec) bool { return slices.Contains(p.can.specs, spec) }

// needed are the mechanisms without which there is no partition.
var needed = map[uint]string{
	p11.CKM_AES_KEY_GEN:          "CKM_AES_KEY_GEN",
	p11.CKM_AES_GCM:              "CKM_AES_GCM",
	p11.CKM_AES_ECB:              "CKM_AES_ECB",
	p11.CKM_AES_ECB_ENCRYPT_DATA: "CKM_AES_ECB_ENCRYPT_DATA",
	p11.CKM_EC_KEY_PAIR_GEN:      "CKM_EC_KEY_PAIR_GEN",
	p11.CKM_ECDSA:                "CKM_ECDSA",
}

// prepare finds out what the token can do, and makes the node's own keys where
// they are missing.
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
	s := &session{cryptoki: p.module.cryptoki, handle: w.anchor, w: w, p: p}
	if p.kwp, err = s.findKWP(list); err != nil {
		return err
	}
	if w.identity == 0 {
		if err := s.createIdentity(); err != nil {
			return fmt.Errorf("making the identity key: %w", err)
		}
	}
	if err := s.furnishNotary(list); err != nil {
		return fmt.Errorf("making the notary key: %w", err)
	}
	p.public = p.world.Load().public
	if err := s.survey(list); err != nil {
		return err
	}
	if err := s.enlist(p.assist); err != nil {
		return err
	}
	p.can.all = slices.Concat(p.can.specs, p.can.assisted)
	return nil
}

// survey finds out which keys the token can make and use.
func (s *session) survey(list []uint) error {
	has := func(numbers ...uint) bool {
		return !slices.ContainsFunc(numbers, func(n uint) bool { return !slices.Contains(list, n) })
	}
	can := &s.p.can
	can.transport = has(p11.CKM_RSA_PKCS_KEY_PAIR_GEN, p11.CKM_RSA_PKCS_OAEP)
	can.agreement = has(p11.CKM_ECDH1_DERIVE)
	can.bareRSA = has(p11.CKM_RSA_X_509)
	ferry, err := s.newSecret(p11.CKA_WRAP, p11.CKA_UNWRAP)
	if err != nil {
		return err
	}
	defer s.destroy(ferry)
	for _, spec := range []hsm.KeySpec{
		hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512, hsm.RSA2048, hsm.RSA3072, hsm.RSA4096,
		hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519,
	} {
		r := recipeOf(spec)
		if !has(r.mechanisms()...) {
			continue
		}
		if r.parameter != nil { // no list tells which curves there are
			able, err := s.able(spec, r, ferry)
			if err != nil {
				return fmt.Errorf("trying %s: %w", spec, err)
			}
			if !able {
				continue
			}
		}
		can.specs = append(can.specs, spec)
	}
	return nil
}

// mechanisms are what keys of a recipe need.
func (r *recipe) mechanisms() []uint {
	switch {
	case r.mac != 0:
		return []uint{r.generate, r.mac}
	case r.keyType == p11.CKK_RSA:
		return []uint{r.generate, p11.CKM_RSA_PKCS, p11.CKM_RSA_PKCS_PSS, p11.CKM_RSA_PKCS_OAEP}
	case r.keyType == p11.CKK_EC:
		return []uint{r.generate, p11.CKM_ECDSA}
	case r.keyType == keyTypeEdwards:
		return []uint{r.generate, signEdDSA}
	default:
		return []uint{r.generate}
	}
}

// able says whether the token makes, wraps, unwraps and uses key pairs on a
// curve. It is an error where the token fails altogether.
func (s *session) able(spec hsm.KeySpec, r *recipe, ferry objectHandle) (bool, error) {
	err := s.tryPair(spec, r, ferry)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, hsm.ErrUnsupported), errors.Is(err, errOtherwise):
	case judge(err) == unclear && s.prove() == nil: // SoftHSM, of a curve that it can only make
	default:
		return false, err
	}
	s.p.log.Info("the token cannot keep keys of a spec", "spec", spec, "error", err)
	return false, nil
}

// errOtherwise is returned while we look what a token can do, where it does
// something else. It never leaves the package.
var errOtherwise = errors.New("the token's signature does not verify")

// tryPair has a key pair go the way of all: made, wrapped, unwrapped, used.
func (s *session) tryPair(spec hsm.KeySpec, r *recipe, ferry objectHandle) error {
	wrapped, public, err := s.generatePair(domainKey{handle: ferry}, r)
	if err != nil {
		return err
	}
	h, err := s.Unwrap(s.handle, s.p.kwp, ferry, wrapped, privateKey(r.keyType, false, false, p11.CKA_SIGN))
	if err != nil {
		return err
	}
	defer s.destroy(h)
	if _, err = s.confirm(h, r); err != nil {
		return err
	}
	for _, alg := range algorithm.SigningAlgorithms(spec) {
		digest, signature, err := s.sample(alg, h)
		if err == nil && algorithm.Verify(public, spec, alg, digest, signature) != nil {
			err = errOtherwise
		}
		if err != nil {
			return err
		}
	}
	return nil
}
