//go:build cgo && unix

package pkcs11_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
	"github.com/cofre-kms/cofre/hsm/soft"
)

func openToken(t *testing.T, uri string, pin hsm.PIN, assisted ...hsm.KeySpec) *pkcs11.Partition {
	t.Helper()
	p, err := pkcs11.Open(t.Context(), pkcs11.Config{URI: uri, PIN: pin, Sessions: 4, CacheKeys: 32, SoftwareAssisted: assisted})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // the test may have closed it
	return p
}

func TestConformance(t *testing.T) {
	uris := make(map[string]string)
	var pin hsm.PIN
	for _, name := range hsmtest.Names() {
		uris[name], pin = hsmtest.NewToken(t, name)
	}
	hsmtest.Conformance(t, func(t *testing.T, name string) hsm.Partition {
		return openToken(t, uris[name], pin)
	})
}

func TestCross(t *testing.T) {
	uri, pin := hsmtest.NewToken(t, "cross")
	p, err := soft.Open(t.Context(), soft.Config{
		Path: filepath.Join(t.TempDir(), "partition"), PIN: "1", Cost: soft.Cost{Passes: 1, MemoryKiB: 8, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	hsmtest.Cross(t, openToken(t, uri, pin, algorithm.Specs()...), p)
}

func TestModuleThatIsNone(t *testing.T) {
	for _, module := range []string{"/nonexistent.so", "/dev/null"} {
		_, err := pkcs11.Open(t.Context(), pkcs11.Config{URI: "pkcs11:token=x?module-path=" + module, PIN: "1234"})
		if !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("%s: %v", module, err)
		}
	}
}
