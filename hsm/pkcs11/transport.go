package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// oaepSHA1 is what every module has.
var oaepSHA1 = mechanism{number: p11.CKM_RSA_PKCS_OAEP, hash: p11.CKM_SHA_1}

// opTransport is slow: some devices search primes for a minute.
var opTransport = operation{name: "transport", slow: true}

// TransportKey answers the public transport key.
func (p *Partition) TransportKey(ctx context.Context) ([]byte, error) {
	if !p.can.transport {
		return nil, fmt.Errorf("transport key: the token lacks RSA or OAEP: %w", hsm.ErrUnsupported)
	}
	var der []byte
	err := p.do(ctx, opTransport, func(ctx context.Context) (err error) {
		der, err = call(ctx, p, opTransport, (*session).transportKey, nil)
		return err
	})
	return der, err
}

func (s *session) transportKey() ([]byte, error) {
	s.p.provision.Lock()
	defer s.p.provision.Unlock()
	_, public, err := s.findPair(labelTransport, p11.CKK_RSA)
	if err != nil {
		return nil, err
	}
	if public == 0 {
		if public, err = s.createTransport(); err != nil {
			return nil, err
		}
	}
	return s.readModulus(public)
}

func (s *session) createTransport() (public objectHandle, err error) {
	public, _, err = s.GenerateKeyPair(s.handle, p11.CKM_RSA_PKCS_KEY_PAIR_GEN,
		append(publicKey(p11.CKK_RSA, true, p11.CKA_WRAP), attribute{p11.CKA_LABEL, labelTransport},
			attribute{p11.CKA_MODULUS_BITS, uint(hsm.TransportBits)}, attribute{p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}}),
		append(privateKey(p11.CKK_RSA, true, false, p11.CKA_UNWRAP), attribute{p11.CKA_LABEL, labelTransport}))
	return public, err
}

// ExportDomain wraps a domain key, in the token, to another partition's
// transport key.
func (p *Partition) ExportDomain(ctx context.Context, g hsm.Generation, transport []byte) ([]byte, error) {
	public, err := hsm.ParseTransportKey(transport)
	if err != nil {
		return nil, err
	}
	if !p.can.transport {
		return nil, fmt.Errorf("exporting domain key %d: the token lacks RSA or OAEP: %w", g, hsm.ErrUnsupported)
	}
	var wrapped []byte
	err = p.do(ctx, opDomain, func(ctx context.Context) (err error) {
		wrapped, err = call(ctx, p, opDomain, func(s *session) ([]byte, error) { return s.exportDomain(g, public) }, nil)
		return err
	})
	return wrapped, err
}

func (s *session) exportDomain(g hsm.Generation, public *rsa.PublicKey) ([]byte, error) {
	d, ok := s.w.domains[g]
	if !ok {
		return nil, fmt.Errorf("generation %d: %w", g, hsm.ErrNoDomain)
	}
	to, err := s.Create(s.handle, append(publicKey(p11.CKK_RSA, false, p11.CKA_WRAP),
		attribute{p11.CKA_MODULUS, public.N.Bytes()},
		attribute{p11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(public.E)).Bytes()}))
	if err != nil {
		return nil, err
	}
	defer s.destroy(to)
	return s.Wrap(s.handle, oaepSHA1, to, d.handle)
}

// ImportDomain unwraps a domain key in the token.
func (p *Partition) ImportDomain(ctx context.Context, g hsm.Generation, wrapped []byte) error {
	if len(wrapped) == 0 {
		return fmt.Errorf("importing domain key %d: %w", g, hsm.ErrInvalidKey)
	}
	if !p.can.transport {
		return fmt.Errorf("importing domain key %d: the token lacks RSA or OAEP: %w", g, hsm.ErrUnsupported)
	}
	var tag [tagSize]byte
	_, _ = rand.Read(tag[:]) // never fails
	own := bytes.Clone(wrapped)
	return p.do(ctx, opDomain, func(ctx context.Context) error {
		_, err := call(ctx, p, opDomain, func(s *session) (none, error) { return none{}, s.importDomain(g, own, tag) }, nil)
		return err
	})
}

func (s *session) importDomain(g hsm.Generation, wrapped []byte, tag [tagSize]byte) error {
	s.p.provision.Lock()
	defer s.p.provision.Unlock()
	private, _, err := s.findPair(labelTransport, p11.CKK_RSA)
	if err != nil {
		return err
	}
	if private == 0 {
		return fmt.Errorf("importing domain key %d: the token has no transport key: %w", g, hsm.ErrInvalidKey)
	}
	domains, err := s.findDomains()
	if err != nil {
		return err
	}
	s.adopt(domains)
	key, err := judged(s, hsm.ErrInvalidKey, func() (objectHandle, error) {
		return s.Unwrap(s.handle, oaepSHA1, private, wrapped, secretKey(false, true, p11.CKA_WRAP, p11.CKA_ENCRYPT))
	})
	if err != nil {
		return fmt.Errorf("importing domain key %d: %w", g, err)
	}
	defer s.destroy(key)
	d, ok := domains[g]
	if !ok {
		return s.install(domains, g, key, tag)
	}
	same, err := s.same(d.handle, key)
	if err == nil && !same {
		err = fmt.Errorf("importing domain key %d: another key has this number: %w", g, hsm.ErrExists)
	}
	return err
}

// same says whether two keys that can wrap are equal: whether they wrap a third
// alike. Key wrapping is deterministic.
func (s *session) same(a, b objectHandle) (bool, error) {
	third, err := s.newSecret(p11.CKA_DERIVE)
	if err != nil {
		return false, err
	}
	defer s.destroy(third)
	x, err := s.Wrap(s.handle, s.p.kwp, a, third)
	if err != nil {
		return false, err
	}
	y, err := s.Wrap(s.handle, s.p.kwp, b, third)
	return bytes.Equal(x, y), err
}
