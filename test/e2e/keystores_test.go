package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/server/xks"
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
	return configure(n, fmt.Sprintf("[xks]\ntimeout = \"4s\"\n[[xks.proxy]]\nendpoint = %q\naddress = %q\nca_file = %q\n", p.Endpoint(), p.Address(), roots))
}

// TestKeysForAWSKMS opens the port for AWS KMS on a node, and uses a key there as AWS
// KMS would.
func TestKeysForAWSKMS(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary, Nodes: 1})
	n := c.Node(1)
	s := &scenario{t: t, ctx: t.Context(), clients: []*kms.Client{c.Client(t, n, c.Admin)}, secrets: c.Secrets}
	key := s.createKey("external")
	c.Secrets.Add("the secret of AWS KMS", []byte(xkstest.SecretAccessKey))
	address := strings.Replace(n.Addr, "127.0.0.1", "127.0.0.9", 1) // the node's port, on an address of its own
	if err := serveAWSKMS(n, address, c.Admin.AccountID); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	c.Await(t)

	roots := x509.NewCertPool()
	if text, err := os.ReadFile(c.CAFile); err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	client := xks.New(xks.Config{Routes: []xks.Route{{Endpoint: "https://localhost", Address: address, Roots: roots}}, Timeout: time.Minute})
	store := &xks.Store{
		Endpoint: "https://localhost", Path: "/e2e/kms/xks/v1", Region: "us-west-2", AccessKeyID: xkstest.AccessKeyID, SecretID: "1",
		Secret: func(context.Context) ([]byte, error) { return []byte(xkstest.SecretAccessKey), nil },
	}
	about := xks.RequestMetadata{AWSPrincipalARN: "arn:aws:iam::111122223333:user/a", KMSKeyARN: "arn:aws:kms:us-west-2:111122223333:key/k", KMSOperation: "Encrypt", KMSRequestID: "r"}
	health, err := client.Health(t.Context(), store, about)
	if err != nil || !health.Usable() {
		t.Fatal(health, err)
	}
	metadata, err := client.KeyMetadata(t.Context(), store, key, about)
	if err != nil || !metadata.Usable() {
		t.Fatal(metadata, err)
	}
	plaintext := c.Secrets.Plaintext(64)
	sealed, err := client.Encrypt(t.Context(), store, key, about, plaintext, []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := client.Decrypt(t.Context(), store, key, about, sealed, []byte("aad"))
	if err != nil || !bytes.Equal(opened, plaintext) {
		t.Error("another plaintext:", err)
	}
	if _, err := client.Decrypt(t.Context(), store, key, about, sealed, []byte("other")); err == nil {
		t.Error("the additional authenticated data is not authenticated")
	}
}

// serveAWSKMS has a node open the port for AWS KMS when it starts the next time.
func serveAWSKMS(n *rig.Node, address, account string) error {
	credential := filepath.Join(n.Dir(), "xks-credential.json")
	text := fmt.Sprintf(`{"XksProxyUriPath": "/e2e/kms/xks/v1", "XksProxyAuthenticationCredential": {"AccessKeyId": %q, "RawSecretAccessKey": %q}}`,
		xkstest.AccessKeyID, xkstest.SecretAccessKey)
	if err := os.WriteFile(credential, []byte(text), 0o600); err != nil {
		return err
	}
	return configure(n, fmt.Sprintf("[xks_server]\nlisten = %q\n[[xks_server.store]]\naccount = %q\nregion = %q\nuser = \"admin\"\n"+
		"aws_regions = [\"us-west-2\"]\ncredentials = [%q]\n", address, account, rig.Region, credential))
}

// configure adds to a node's configuration.
func configure(n *rig.Node, text string) error {
	f, err := os.OpenFile(filepath.Join(n.Dir(), "cofre.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, "\n"+text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
