package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/test/rig"
)

// TestClusterKeyStore runs testdata/clusterstore.py: three nodes, whose own partitions
// are embedded, use keys in one token beside them.
func TestClusterKeyStore(t *testing.T) {
	python := findPython(t)
	const password = "planted-cluster-password"
	hsmtest.NewToken(t, "unused") // and a folder for tokens
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "tenant", "--pin", password, "--so-pin", password).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := rig.SoftHSMModule()
	if err != nil {
		t.Fatal(err)
	}
	anchor := filepath.Join(t.TempDir(), "customerCA.crt")
	c := rig.Start(t, rig.Config{Binary: binary, Prepare: func(n *rig.Node) error {
		conf, err := os.ReadFile(os.Getenv("SOFTHSM2_CONF"))
		return errors.Join(err,
			os.WriteFile(filepath.Join(n.Dir(), "softhsm2.conf"), conf, 0o600),
			os.WriteFile(anchor, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600),
			configure(n, fmt.Sprintf("[[cloudhsm]]\ncluster_id = \"cluster-234abcdefgh\"\nuri = \"pkcs11:token=tenant?module-path=%s\"\ntrust_anchor = %q\n", module, anchor)),
		)
	}})
	c.Secrets.Add("the cluster's password", []byte(password))
	t.Setenv("COFRE_CLUSTER_PASSWORD", password)
	t.Setenv("COFRE_CLUSTER_ANCHOR", anchor)
	runPython(t, c, python, "clusterstore.py", 27)
}
