package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// openssl is the command line tool, with the files of one use in a folder.
type openssl struct {
	t   *testing.T
	dir string
}

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		absent(t, "openssl")
	}
	return openssl{t, t.TempDir()}
}

// run runs a command and answers whether it has succeeded, and what it said.
func (o openssl) run(args ...string) (string, error) {
	command := exec.CommandContext(o.t.Context(), "openssl", args...)
	command.Dir = o.dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// must runs a command that succeeds.
func (o openssl) must(args ...string) {
	o.t.Helper()
	if out, err := o.run(args...); err != nil {
		o.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// with writes files.
func (o openssl) with(files map[string][]byte) openssl {
	o.t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(o.dir, name), content, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	return o
}

func (o openssl) read(name string) []byte {
	o.t.Helper()
	content, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		o.t.Fatal(err)
	}
	return content
}

// private makes a private key, in PKCS#8.
func (o openssl) private(args ...string) []byte {
	o.t.Helper()
	o.must(append([]string{"genpkey", "-outform", "DER", "-out", "made"}, args...)...)
	o.must("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "made", "-outform", "DER", "-out", "private")
	return o.read("private")
}

// pkeyutl are options for what signs raw messages: a curve's.
func (k *outside) pkeyutl() []string {
	switch k.spec {
	case "SM2":
		return []string{"-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"}
	case "ECC_SECG_P256K1":
		return []string{"-rawin", "-digest", "sha256"}
	}
	return []string{"-rawin"} // Ed25519
}

func (k *outside) opensslVerifies(message, signature []byte) bool {
	k.tool.with(map[string][]byte{"public": k.public, "message": message, "signature": signature})
	_, err := k.tool.run(append([]string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "public",
		"-sigfile", "signature", "-in", "message"}, k.pkeyutl()...)...)
	return err == nil
}

func (k *outside) opensslSigns(message []byte) []byte {
	k.tool.t.Helper()
	k.tool.with(map[string][]byte{"private": k.private, "message": message})
	k.tool.must(append([]string{"pkeyutl", "-sign", "-keyform", "DER", "-inkey", "private", "-in", "message", "-out", "signature"}, k.pkeyutl()...)...)
	return k.tool.read("signature")
}
