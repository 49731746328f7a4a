package rig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// NewHTTP answers a client that trusts a CA, keeps its connections to itself, and
// enters every answer into the journal.
func NewHTTP(t testing.TB, caFile string, journal *Journal) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", caFile)
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 64,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: &recorder{journal: journal, next: transport}}
}

// NewClient answers the Go SDK's client of one endpoint. It does not try again by
// itself, so a test sees every answer.
func NewClient(endpoint string, client *http.Client, who Credentials) *kms.Client {
	return kms.New(kms.Options{
		BaseEndpoint: &endpoint,
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(who.AccessKeyID, who.SecretAccessKey, ""),
		HTTPClient:   client,
		Retryer:      aws.NopRetryer{},
	})
}

// Client answers the SDK's client of one node.
func (c *Cluster) Client(t testing.TB, n *Node, who Credentials) *kms.Client {
	t.Helper()
	return NewClient(n.URL(), NewHTTP(t, c.CAFile, c.Journal), who)
}

// Clients answers a client of each node, of the first account's administrator.
func (c *Cluster) Clients(t testing.TB) []*kms.Client {
	t.Helper()
	clients := make([]*kms.Client, len(c.Nodes))
	for i, n := range c.Nodes {
		clients[i] = c.Client(t, n, c.Admin)
	}
	return clients
}

// Raw sends requests as they are, where the SDK would refuse to.
type Raw struct {
	node   *Node
	who    Credentials
	client *http.Client
}

// Raw answers a sender of signed raw requests to a node.
func (c *Cluster) Raw(t testing.TB, n *Node, who Credentials) *Raw {
	t.Helper()
	return &Raw{node: n, who: who, client: NewHTTP(t, c.CAFile, c.Journal)}
}

// Reply is the answer to a raw request.
type Reply struct {
	Status int
	Code   string // the error's type
	Header http.Header
	Body   []byte
}

// Send signs a request with the given X-Amz-Target and body and sends it. Change,
// where it is not nil, spoils the signed request first.
func (r *Raw) Send(ctx context.Context, target string, body []byte, change func(*http.Request)) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.node.URL()+"/", bytes.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{
		AccessKeyID: r.who.AccessKeyID, SecretAccessKey: r.who.SecretAccessKey,
	}, req, hex.EncodeToString(hash[:]), "kms", Region, time.Now())
	if err != nil {
		return Reply{}, fmt.Errorf("signing: %w", err)
	}
	if change != nil {
		change(req)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return Reply{Status: resp.StatusCode, Code: typeOf(answer), Header: resp.Header, Body: answer}, err
}

// Environment is the environment of a process that uses the cluster, as the file
// of scripts/up sets it.
func (c *Cluster) Environment() []string {
	urls := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		urls[i] = n.URL()
	}
	return environment(
		"AWS_ENDPOINT_URL="+urls[0],
		"AWS_ACCESS_KEY_ID="+c.Admin.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+c.Admin.SecretAccessKey,
		"AWS_DEFAULT_REGION="+Region,
		"AWS_REGION="+Region,
		"AWS_CA_BUNDLE="+c.CAFile,
		"NODE_EXTRA_CA_CERTS="+c.CAFile,
		"COFRE_ENDPOINTS="+strings.Join(urls, ","),
		"COFRE_SECOND_ACCESS_KEY_ID="+c.Second.AccessKeyID,
		"COFRE_SECOND_SECRET_ACCESS_KEY="+c.Second.SecretAccessKey,
	)
}
