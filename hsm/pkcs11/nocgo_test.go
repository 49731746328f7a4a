//go:build !cgo

package pkcs11

import (
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func TestWithoutCgo(t *testing.T) {
	_, err := Open(t.Context(), Config{URI: "pkcs11:token=x?module-path=/m", PIN: "1234"})
	wants(t, "opening a token", err, hsm.ErrUnsupported)
	if !strings.Contains(err.Error(), "cgo") {
		t.Errorf("the error does not say why: %v", err)
	}
}
