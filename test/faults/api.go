package faults

import (
	"context"
	"net/http"
	"testing"
	"time"

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
	as      workload.Credentials
	// patience is how long an operation may take; changed between the phases.
	patience time.Duration
}

func newAPI(t *testing.T, w *world) *api {
	a := &api{
		members: w.members,
		urls:    make(map[string]string),
		client:  rig.NewHTTP(t, w.cluster.CAFile, w.cluster.Journal),
		as:      workload.Credentials{AccessKeyID: w.cluster.Admin.AccessKeyID, Secret: w.cluster.Admin.SecretAccessKey},
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

// Regions implements workload.API.
func (a *api) Regions() []string { return rig.Regions() }

// Do implements workload.API.
func (a *api) Do(ctx context.Context, node string, r workload.Request) workload.Answer {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	return r.Send(ctx, a.client, a.urls[node], a.as, rig.Region)
}
