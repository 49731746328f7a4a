package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// p256 is CKA_EC_PARAMS of the curve: the DER of its object identifier (RFC 5480
// §2.1.1.1).
var p256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// signer is the identity key.
type signer struct{ p *Partition }

// Identity is the node's identity key.
func (p *Partition) Identity() crypto.Signer { return signer{p} }

func (i signer) Public() crypto.PublicKey { return i.p.public }

func (i signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("signing with the identity key: not a SHA-256 digest: %w", hsm.ErrUnsupported)
	}
	return i.p.sign(context.Background(), signingOf(hsm.ECDSASHA256), digest, func(s *session) (objectHandle, func(), error) {
		return s.w.identity, func() {}, nil
	})
}

// findIdentity looks the identity key up; it answers 0 where there is none.
func (s *session) findIdentity() (objectHandle, *ecdsa.PublicKey, error) {
	private, public, err := s.findPair(labelIdentity, p11.CKK_EC)
	if err != nil || private == 0 {
		return 0, nil, err
	}
	point, err := s.readPoint(public)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the identity key: %w", err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return 0, nil, errors.Join(fmt.Errorf("the identity key is no P-256 point: %w", hsm.ErrUnavailable), err)
	}
	return private, key, nil
}

// findPair looks a key pair of ours up; it answers 0 where there is none.
func (s *session) findPair(label string, keyType uint) (private, public objectHandle, err error) {
	find := func(class uint) (objectHandle, error) {
		found, err := s.Find(s.handle, []attribute{
			{p11.CKA_CLASS, class}, {p11.CKA_KEY_TYPE, keyType}, {p11.CKA_TOKEN, true}, {p11.CKA_LABEL, label},
		})
		switch {
		case err != nil || len(found) == 0:
			return 0, err
		case len(found) > 1:
			return 0, fmt.Errorf("%d objects of one class have the label %s: %w", len(found), label, hsm.ErrUnavailable)
		}
		return found[0], nil
	}
	if private, err = find(p11.CKO_PRIVATE_KEY); err != nil {
		return 0, 0, err
	}
	if public, err = find(p11.CKO_PUBLIC_KEY); err != nil {
		return 0, 0, err
	}
	if (private == 0) != (public == 0) {
		return 0, 0, fmt.Errorf("the key pair %s is half there: %w", label, hsm.ErrUnavailable)
	}
	return private, public, nil
}

// createIdentity makes the identity key and puts it into the world. Only Open
// does.
func (s *session) createIdentity() error {
	_, _, err := s.GenerateKeyPair(s.handle, p11.CKM_EC_KEY_PAIR_GEN,
		append(publicKey(p11.CKK_EC, true, p11.CKA_VERIFY), attribute{p11.CKA_EC_PARAMS, p256}, attribute{p11.CKA_LABEL, labelIdentity}),
		append(privateKey(p11.CKK_EC, true, false, p11.CKA_SIGN), attribute{p11.CKA_LABEL, labelIdentity}))
	if err != nil {
		return err
	}
	next := *s.w
	if next.identity, next.public, err = s.findIdentity(); err != nil {
		return err
	}
	if next.identity == 0 {
		return fmt.Errorf("the key is not there after it was made: %w", hsm.ErrUnavailable)
	}
	s.p.world.Store(&next)
	return nil
}
