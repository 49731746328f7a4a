//go:build cgo && unix

package kms_test

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
)

// TestPublishedSoftHSM runs published vectors through the API on SoftHSM.
func TestPublishedSoftHSM(t *testing.T) {
	uri, pin := hsmtest.NewToken(t, "published")
	p, err := pkcs11.Open(t.Context(), pkcs11.Config{
		URI: uri, PIN: pin, Sessions: 4, CacheKeys: 64, SoftwareAssisted: algorithm.Specs(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	hsmtest.Published(t, newAPIHolder(t, p))
}
