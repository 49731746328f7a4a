package hsm

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// TransportBits is the least modulus length, in bits, of a transport key: as
// strong as a domain key's protection needs (NIST SP 800-57 Part 1 §5.6.1 puts
// RSA-3072 at 128 bits).
const TransportBits = 3072

// ParseTransportKey reads what [Domain.TransportKey] of a partition answered.
// What is no RSA key of TransportBits or more is [ErrInvalidKey].
func ParseTransportKey(der []byte) (*rsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading a transport key: %w: %w", ErrInvalidKey, err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < TransportBits {
		return nil, fmt.Errorf("a transport key that is not RSA-%d: %w", TransportBits, ErrInvalidKey)
	}
	return key, nil
}
