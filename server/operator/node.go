package operator

import (
	"context"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

// Status describes the node that answers, and the cluster as it sees it.
type Status struct {
	cluster.Status
	Version string `json:"version"`
}

func (s *Service) getStatusRoute() rest.Route {
	return rest.Bind[Status](rest.Spec{
		Name: "GetStatus", ReadOnly: reads, Method: "GET", Path: "/v1/status",
		Summary: "Describe the node that answers, and the cluster as it sees it",
	}, nothingShape(), later(s, "node/*", func() any { return &Status{s.cfg.Node.Status(), s.cfg.Version} }))
}

// HSM is the partition of the node that answers.
type HSM struct {
	Node     string   `json:"node"`
	Kind     string   `json:"kind"` // soft or pkcs11
	Label    string   `json:"label"`
	Maker    string   `json:"maker"`
	Serial   string   `json:"serial"`
	Hardware bool     `json:"hardware"`
	Working  bool     `json:"working"`
	Problem  string   `json:"problem,omitempty"` // what is wrong where it is not working
	KeySpecs []string `json:"keySpecs"`          // what keys it makes
	Assisted []string `json:"softwareAssisted"`  // of those, which are used in the node's memory
}

func (s *Service) getHSMRoute() rest.Route {
	return rest.Bind[HSM](rest.Spec{
		Name: "GetHSM", ReadOnly: reads, Method: "GET", Path: "/v1/hsm", Summary: "Describe the HSM partition of the node that answers",
	}, nothingShape(), later(s, "node/*", func() any { return describeHSM(s.cfg.Node.Status()) }))
}

// LedgerHead is the end of the ledger on the node that answers.
type LedgerHead struct {
	Size      int64  `json:"size"` // records
	Root      string `json:"root"` // RFC 6962 root at that size, base64
	Applied   uint64 `json:"appliedIndex"`
	StateHash string `json:"stateHash"`
}

func (s *Service) getLedgerHeadRoute() rest.Route {
	return rest.Bind[LedgerHead](rest.Spec{
		Name: "GetLedgerHead", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/head",
		Summary: "Size and root of the ledger on the node that answers, this call's record included",
	}, nothingShape(), later(s, "ledger", func() any { return Head(s.cfg.Node.Status().FSM) }))
}

// Head is the end of a ledger.
func Head(f fsm.Status) *LedgerHead {
	return &LedgerHead{Size: f.LedgerSize, Root: f.LedgerRoot.String(), Applied: f.Applied, StateHash: f.StateHash.String()}
}

// later is an operation that answers, after its commit, what the node says of
// itself.
func later(s *Service, resource string, describe func() any) func(context.Context, *fsm.Txn, *call.Call, *nothing) (any, error) {
	return func(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
		if err := s.permit(tx, c, resource); err != nil {
			return nil, err
		}
		return call.Later(func(fsm.View) (any, error) { return describe(), nil }), nil
	}
}

func describeHSM(n cluster.Status) *HSM {
	h := &HSM{
		Node: n.Name, Kind: n.HSM.Kind, Label: n.HSM.Label, Maker: n.HSM.Maker, Serial: n.HSM.Serial, Hardware: n.HSM.Hardware,
		Working: n.HSMError == "", Problem: n.HSMError, KeySpecs: []string{}, Assisted: []string{},
	}
	for _, spec := range n.HSM.Specs {
		h.KeySpecs = append(h.KeySpecs, string(spec))
	}
	for _, spec := range n.HSM.Assisted {
		h.Assisted = append(h.Assisted, string(spec))
	}
	return h
}
