//go:build cgo && unix

package pkcs11

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// opensslOptions say what openssl pkeyutl has to know of each algorithm.
func opensslOptions() map[hsm.SigningAlgorithm][]string {
	pkcs1 := func(hash string) []string { return []string{"rsa_padding_mode:pkcs1", "digest:" + hash} }
	pss := func(hash string) []string {
		return []string{"rsa_padding_mode:pss", "digest:" + hash, "rsa_mgf1_md:" + hash, "rsa_pss_saltlen:digest"}
	}
	return map[hsm.SigningAlgorithm][]string{
		hsm.RSAPKCS1SHA256: pkcs1("sha256"), hsm.RSAPKCS1SHA384: pkcs1("sha384"), hsm.RSAPKCS1SHA512: pkcs1("sha512"),
		hsm.RSAPSSSHA256: pss("sha256"), hsm.RSAPSSSHA384: pss("sha384"), hsm.RSAPSSSHA512: pss("sha512"),
		hsm.ECDSASHA256: nil, hsm.ECDSASHA384: nil, hsm.ECDSASHA512: nil,
	}
}

// TestOpenSSLVerifies: what SoftHSM signs, OpenSSL's command verifies.
func TestOpenSSLVerifies(t *testing.T) {
	p := openSoftHSM(t)
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv(hsmtest.RequireSoftHSM) == "1" {
			t.Fatal(err)
		}
		t.Skip("OpenSSL is not installed")
	}
	options := opensslOptions()
	for _, spec := range []hsm.KeySpec{hsm.RSA2048, hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1} {
		key, err := p.GenerateKey(t.Context(), 1, spec)
		must(t, err)
		for _, alg := range algorithm.SigningAlgorithms(spec) {
			digest := random(algorithm.DigestSize(alg))
			signature, err := p.Sign(t.Context(), key, alg, digest)
			must(t, err)
			args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile", "signature"}
			for _, option := range options[alg] {
				args = append(args, "-pkeyopt", option)
			}
			command := exec.CommandContext(t.Context(), openssl, args...)
			command.Dir = t.TempDir()
			for name, content := range map[string][]byte{
				"public.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key.Public}), "digest": digest, "signature": signature,
			} {
				must(t, os.WriteFile(filepath.Join(command.Dir, name), content, 0o600))
			}
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%s by %s: %v\n%s", spec, alg, err, out)
			}
		}
	}
}
