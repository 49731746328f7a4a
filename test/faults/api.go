package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/test/rig"
	"github.com/cofre-kms/cofre/test/workload"
)

// How long a client waits for an answer. A node gives up after 5 s: clients that
// do so earlier leave operations behind that may still happen.
const (
	patienceUnderFaults = 2 * time.Second
	patienceAfterwards  = 10 * time.Second
)

// api is the clients' way to the nodes, a workload.API: real HTTPS through the
// links.
type api struct {
	members func() []*victim
	urls    map[string]string
	client  *http.Client
	as      aws.Credentials
	// patience is how long an operation may take; changed between the phases.
	patience time.Duration
}

func newAPI(t *testing.T, w *world) *api {
	a := &api{
		members: w.members,
		urls:    make(map[string]string),
		client:  rig.NewHTTP(t, w.cluster.CAFile, w.cluster.Journal),
		as:      aws.Credentials{AccessKeyID: w.cluster.Admin.AccessKeyID, SecretAccessKey: w.cluster.Admin.SecretAccessKey},
	}
	for _, n := range w.victims {
		a.urls[n.Name] = n.URL()
		if w.network != nil {
			a.urls[n.Name] = "https://" + w.network.addr(n.Name)
		}
	}
	return a
}

// Nodes implements workload.API: the members.
func (a *api) Nodes() (names []string) {
	for _, v := range a.members() {
		names = append(names, v.Name)
	}
	return names
}

// Do implements workload.API.
func (a *api) Do(ctx context.Context, node string, r workload.Request) workload.Answer {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	req, err := a.request(ctx, node, r)
	if err != nil {
		panic(err) // static credentials and an address that is one
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return workload.Answer{Lost: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return workload.Answer{
		Lost: err != nil, Status: resp.StatusCode, RequestID: resp.Header.Get("x-amzn-RequestId"), Body: body,
	}
}

func (a *api) request(ctx context.Context, node string, r workload.Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.urls[node]+"/", bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // net/http must not send it a second time by itself
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("User-Agent", r.UserAgent)
	req.Header.Set("X-Amz-Target", "TrentService."+r.Operation)
	hash := sha256.Sum256(r.Body)
	return req, v4.NewSigner().SignHTTP(ctx, a.as, req, hex.EncodeToString(hash[:]), "kms", rig.Region, time.Now())
}
