package kms

import (
	"context"
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type replicateKeyRequest struct {
	KeyID                          string
	ReplicaRegion                  string
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool
	Description                    string
	Tags                           []tag
}

func replicateKeyShape() *shape.Struct[replicateKeyRequest] {
	type r = replicateKeyRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("ReplicaRegion", regionType(), func(q *r) *string { return &q.ReplicaRegion }).Required(),
		shape.Text("Policy", policyType(), func(q *r) *string { return &q.Policy }),
		shape.Flag("BypassPolicyLockoutSafetyCheck", func(q *r) *bool { return &q.BypassPolicyLockoutSafetyCheck }),
		shape.Text("Description", descriptionType(), func(q *r) *string { return &q.Description }),
		shape.Structs("Tags", shape.List{}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
	)
}

type replicateKeyParameters struct {
	KeyID                          string        `json:"keyId"`
	ReplicaRegion                  string        `json:"replicaRegion"`
	Policy                         string        `json:"policy,omitempty"`
	BypassPolicyLockoutSafetyCheck bool          `json:"bypassPolicyLockoutSafetyCheck"`
	Description                    string        `json:"description"`
	Tags                           []recordedTag `json:"tags,omitempty"`
}

type replicateKeyElements struct {
	ReplicaKeyMetadata recordedMetadata `json:"replicaKeyMetadata"`
	ReplicaPolicy      string           `json:"replicaPolicy"`
	ReplicaTags        []recordedTag    `json:"replicaTags"`
}

type replicateKeyResponse struct {
	ReplicaKeyMetadata keyMetadata
	ReplicaPolicy      string
	ReplicaTags        []tag
}

// replicateKey makes a replica that can be used as soon as it is answered, where
// AWS's is Creating for a while. AWS's second record, CreateKey in the replica's
// Region, is announced.
func (s *Service) replicateKey(_ context.Context, tx *fsm.Txn, c *call.Call, req *replicateKeyRequest) (*replicateKeyResponse, error) {
	c.Record.Parameters = req.recorded()
	if err := req.check(); err != nil {
		return nil, err
	}
	wanted := access{action: c.Operation, tags: req.Tags, more: bypassing(req.BypassPolicyLockoutSafetyCheck)}
	wanted.more["kms:replicaregion"] = []string{req.ReplicaRegion}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := s.replicable(k, req.ReplicaRegion); err != nil {
		return nil, err
	}
	policy, err := s.mayCreate(tx, elsewhere(c, req.ReplicaRegion), k.in(req.ReplicaRegion), req.Policy, req.BypassPolicyLockoutSafetyCheck, req.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.countKey(tx, k.in(req.ReplicaRegion)); err != nil {
		return nil, err
	}
	replica, err := replicate(tx, k.Key, req, policy, c)
	if err != nil {
		return nil, err
	}
	resp := &replicateKeyResponse{
		ReplicaKeyMetadata: describe(key{Key: replica, arn: replica.ARN()}), ReplicaPolicy: req.Policy, ReplicaTags: append([]tag{}, req.Tags...),
	}
	if resp.ReplicaPolicy == "" {
		resp.ReplicaPolicy = authz.DefaultKeyPolicy(k.AccountID)
	}
	metadata := recorded(resp.ReplicaKeyMetadata)
	c.Record.Response = &replicateKeyElements{
		ReplicaKeyMetadata: metadata, ReplicaPolicy: resp.ReplicaPolicy, ReplicaTags: recordedTags(req.Tags),
	}
	return resp, announce(tx, replica, record.ServiceEvent{
		Name: "CreateKey", Time: c.Time, Response: &createKeyElements{KeyMetadata: metadata},
	})
}

// in is the key as its replica in a Region will be, as far as policies can ask.
func (k key) in(region string) *state.Key {
	replica := *k.Key
	replica.Primary, replica.Region = k.Region, region
	return &replica
}

// check refuses what is wrong with a request in itself.
func (q *replicateKeyRequest) check() error {
	if err := checkTags(q.Tags); err != nil || q.Policy == "" {
		return err
	}
	_, err := parsePolicy(q.Policy)
	return err
}

// replicable refuses keys that are no primary keys, and Regions in which there is
// a related key or no service.
func (s *Service) replicable(k key, region string) error {
	switch {
	case !k.MultiRegion || k.Replica():
		return notPrimary(k)
	case !slices.Contains(s.cfg.Regions, region):
		return unsupported("The Region %s is not served.", region)
	case slices.Contains(regions(k.Key), region):
		return call.Errorf("AlreadyExistsException", "Key %s already exists.", reference{account: k.AccountID, region: region, id: k.ID}.keyARN())
	}
	return nil
}

// replicate writes the replica and tells all related keys of it. Key policy, tags
// and description are its own; aliases and grants it has none yet.
func replicate(tx *fsm.Txn, primary *state.Key, req *replicateKeyRequest, policy *state.KeyPolicy, c *call.Call) (*state.Key, error) {
	replica := *primary
	replica.Region, replica.Description, replica.Created, replica.State = req.ReplicaRegion, req.Description, c.Time.UnixMilli(), state.Enabled
	all, err := materials(tx.View(), primary)
	if err != nil {
		return nil, err
	}
	if err := adopt(tx, &replica, all); err != nil {
		return nil, err
	}
	if err := store(tx, &replica, nil, policy, req.Tags); err != nil {
		return nil, err
	}
	replicas := append(slices.Clone(primary.Replicas), req.ReplicaRegion)
	slices.Sort(replicas)
	return &replica, relate(tx, &replica, primary.Region, replicas)
}

func (q *replicateKeyRequest) recorded() *replicateKeyParameters {
	return &replicateKeyParameters{
		KeyID: q.KeyID, ReplicaRegion: q.ReplicaRegion, Policy: q.Policy, Description: q.Description,
		BypassPolicyLockoutSafetyCheck: q.BypassPolicyLockoutSafetyCheck, Tags: recordedTags(q.Tags),
	}
}
