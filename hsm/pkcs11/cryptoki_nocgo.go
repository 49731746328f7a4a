//go:build !cgo || !unix

package pkcs11

import (
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
)

// load reports that this build cannot load PKCS#11 modules.
func load(path string) (cryptoki, error) {
	return nil, fmt.Errorf("loading PKCS#11 module %s: this binary was built without cgo; build it with CGO_ENABLED=1 on a Unix system: %w",
		path, hsm.ErrUnsupported)
}
