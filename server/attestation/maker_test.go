package attestation_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"testing"

	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/attestation/attestationtest"
)

// verifier trusts an authority.
func verifier(t testing.TB, a *attestationtest.Authority) *attestation.Verifier {
	t.Helper()
	v, err := attestation.NewVerifier(a.PEM())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ecKey is a public key that nothing can be encrypted to.
func ecKey(t *testing.T) []byte {
	der, err := x509.MarshalPKIXPublicKey(&attestationtest.NewKey(t, elliptic.P384()).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// rawPayload is CBOR already.
type rawPayload []byte

func (r rawPayload) MarshalCBOR() ([]byte, error) { return r, nil }
