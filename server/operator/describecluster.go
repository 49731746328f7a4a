package operator

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/state"
)

// Cluster is what is the same on all nodes.
type Cluster struct {
	ClusterID         string    `json:"clusterId"`
	Created           time.Time `json:"created"`
	OperatorAccountID string    `json:"operatorAccountId"`
	Generation        uint32    `json:"domainKeyGeneration"` // of the domain key that the cluster began with
	Regions           []string  `json:"regions"`             // as this node's configuration has them
}

func (s *Service) describeClusterRoute() rest.Route {
	return rest.Bind[Cluster](rest.Spec{
		Name: "DescribeCluster", ReadOnly: reads, Method: "GET", Path: "/v1/cluster",
		Summary: "Describe the cluster's configuration",
	}, nothingShape(), s.describeCluster)
}

func (s *Service) describeCluster(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
	if err := s.permit(tx, c, "cluster"); err != nil {
		return nil, err
	}
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		ClusterID: system.ClusterID, Created: time.UnixMilli(system.Created).UTC(), OperatorAccountID: system.Operator,
		Generation: uint32(system.Generation), Regions: s.cfg.Regions,
	}, nil
}
