package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/server/xks/xkstest"
	"github.com/cofre-kms/cofre/test/rig"
)

// TestExternalKeyStore runs testdata/keystores.py: three nodes use keys behind a proxy
// that speaks TLS on this host.
func TestExternalKeyStore(t *testing.T) {
	python := findPython(t)
	p := xkstest.New(t, rig.Region)
	p.AddKey("one")
	p.AddKey("two")
	for _, kind := range rig.Kinds(t) {
		t.Run(kind, func(t *testing.T) {
			c := rig.Start(t, rig.Config{Binary: binary, HSM: kind, Prepare: func(n *rig.Node) error { return callable(n, p) }})
			c.Secrets.Add("the proxy's secret access key", []byte(xkstest.SecretAccessKey))
			runPython(t, c, python, "keystores.py", 32)
		})
	}
	if len(p.Seen()) == 0 {
		t.Error("the proxy has seen nothing")
	}
}

// callable lets a node call a proxy, and gives it time.
func callable(n *rig.Node, p *xkstest.Proxy) error {
	roots := filepath.Join(n.Dir(), "proxy-ca.pem")
	if err := os.WriteFile(roots, p.RootsPEM(), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(n.Dir(), "cofre.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\n[xks]\ntimeout = \"4s\"\n[[xks.proxy]]\nendpoint = %q\naddress = %q\nca_file = %q\n", p.Endpoint(), p.Address(), roots)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
