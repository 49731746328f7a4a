package kms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type createKeyRequest struct {
	Policy                         string
	Description                    string
	KeyUsage                       string
	CustomerMasterKeySpec          string
	KeySpec                        string
	Origin                         string
	CustomKeyStoreID               string
	BypassPolicyLockoutSafetyCheck bool
	Tags                           []tag
	MultiRegion                    bool
	XksKeyID                       string
}

func createKeyShape() *shape.Struct[createKeyRequest] {
	type r = createKeyRequest
	return shape.Of(
		shape.Text("Policy", policyType(), func(q *r) *string { return &q.Policy }),
		shape.Text("Description", descriptionType(), func(q *r) *string { return &q.Description }),
		shape.Text("KeyUsage", keyUsageType(), func(q *r) *string { return &q.KeyUsage }),
		shape.Text("CustomerMasterKeySpec", customerMasterKeySpec(), func(q *r) *string { return &q.CustomerMasterKeySpec }),
		shape.Text("KeySpec", keySpecType(), func(q *r) *string { return &q.KeySpec }),
		shape.Text("Origin", originType(), func(q *r) *string { return &q.Origin }),
		shape.Text("CustomKeyStoreId", customKeyStoreIDType(), func(q *r) *string { return &q.CustomKeyStoreID }),
		shape.Flag("BypassPolicyLockoutSafetyCheck", func(q *r) *bool { return &q.BypassPolicyLockoutSafetyCheck }),
		shape.Structs("Tags", shape.List{}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
		shape.Flag("MultiRegion", func(q *r) *bool { return &q.MultiRegion }),
		shape.Text("XksKeyId", xksKeyIDType(), func(q *r) *string { return &q.XksKeyID }),
	)
}

type createKeyParameters struct {
	Policy                         string        `json:"policy,omitempty"`
	Description                    string        `json:"description"`
	KeyUsage                       string        `json:"keyUsage"`
	CustomerMasterKeySpec          string        `json:"customerMasterKeySpec"`
	KeySpec                        string        `json:"keySpec"`
	Origin                         string        `json:"origin"`
	CustomKeyStoreID               string        `json:"customKeyStoreId,omitempty"`
	XksKeyID                       string        `json:"xksKeyId,omitempty"`
	BypassPolicyLockoutSafetyCheck bool          `json:"bypassPolicyLockoutSafetyCheck"`
	Tags                           []recordedTag `json:"tags,omitempty"`
	MultiRegion                    bool          `json:"multiRegion"`
}

type createKeyResponse struct{ KeyMetadata keyMetadata }

type createKeyElements struct {
	KeyMetadata recordedMetadata `json:"keyMetadata"`
}

// createKey makes a key that nothing else in the state refers to: creations
// never conflict with one another.
func (s *Service) createKey(ctx context.Context, tx *fsm.Txn, c *call.Call, req *createKeyRequest) (*createKeyResponse, error) {
	spec, usage := req.spec(), req.usage()
	c.Record.Parameters = req.recorded(spec, usage)
	if err := req.check(spec, usage); err != nil {
		return nil, err
	}
	if !s.cfg.HSM.Info().Can(hsm.KeySpec(spec)) {
		return nil, unsupported("No HSM partition makes keys of the key spec %s.", spec)
	}
	id, err := newKeyID(req.MultiRegion)
	if err != nil {
		return nil, err
	}
	k := &state.Key{
		AccountID: c.Principal.AccountID, Region: c.Region, ID: id,
		State: state.Enabled, Description: req.Description, Created: c.Time.UnixMilli(),
		Usage: usage, Spec: hsm.KeySpec(spec), Origin: req.origin(), MultiRegion: req.MultiRegion,
		KeyStoreID: req.CustomKeyStoreID, XksKeyID: req.XksKeyID,
	}
	policy, err := s.mayCreate(tx, c, k, req.Policy, req.BypassPolicyLockoutSafetyCheck, req.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.countKey(tx, k); err != nil {
		return nil, err
	}
	if err := s.join(ctx, tx, c, k); err != nil {
		return nil, err
	}
	material, err := s.firstMaterial(ctx, k, c.Time)
	if err != nil {
		return nil, err
	}
	if err := store(tx, k, material, policy, req.Tags); err != nil {
		return nil, err
	}
	made, err := used(tx, c, k)
	if err != nil {
		return nil, err
	}
	metadata := describe(made)
	c.Record.Response = &createKeyElements{KeyMetadata: recorded(metadata)}
	if data := s.materialData(made, ""); data != (materialData{}) {
		c.Record.Additional = &data
	}
	return &createKeyResponse{KeyMetadata: metadata}, nil
}

// join puts a new key into the custom key store that it is to be in. The number of
// the store's keys is exact: it decides whether the store can be deleted.
func (s *Service) join(ctx context.Context, tx *fsm.Txn, c *call.Call, k *state.Key) error {
	if k.KeyStoreID == "" {
		return nil
	}
	store, err := readKeyStore(tx, c, k.KeyStoreID)
	switch {
	case err != nil:
		return err
	case store.Type != k.Origin:
		return invalid("Keys with an Origin of %s cannot be created in a custom key store of the type %s.", k.Origin, store.Type)
	case !store.Connected() && store.Type == state.ExternalKeyStore:
		return call.Errorf(storeState, "%s", notConnected)
	case !store.Connected():
		return notInState(store)
	}
	enroll := s.enroll
	if store.Type == state.CloudHSM {
		enroll = s.enrollCluster
	}
	if err := enroll(ctx, tx, c, store, k); err != nil {
		return err
	}
	return addToCount(tx, state.KeyStoreCounts, 1, k.AccountID, k.Region, store.ID)
}

// leave is the opposite of join.
func leave(tx *fsm.Txn, k *state.Key) error {
	if k.KeyStoreID == "" {
		return nil
	}
	if k.XksKeyID != "" {
		state.ExternalKeys.Delete(tx, k.AccountID, k.Region, k.KeyStoreID, k.XksKeyID)
	}
	return addToCount(tx, state.KeyStoreCounts, -1, k.AccountID, k.Region, k.KeyStoreID)
}

// mayCreate decides whether the caller may create a key that is as k, with its
// tags, which need kms:TagResource besides, and makes the record of the policy
// that the request brings; nil where it brings none.
func (s *Service) mayCreate(tx *fsm.Txn, c *call.Call, k *state.Key, policy string, bypass bool, tags []tag) (*state.KeyPolicy, error) {
	wanted := access{action: "CreateKey", tags: tags, more: bypassing(bypass)}
	if err := s.authorizeNew(tx, c, wanted, k); err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		if err := s.authorizeNew(tx, c, access{action: "TagResource", tags: tags}, k); err != nil {
			return nil, err
		}
	}
	if policy == "" {
		return nil, nil
	}
	return s.newPolicy(tx, c, k, policy, bypass)
}

// store writes a new key and what belongs to it. It reads that the key's id is
// free, so that not even a repeated random number could replace a key.
func store(tx *fsm.Txn, k *state.Key, material *state.KeyMaterial, policy *state.KeyPolicy, tags []tag) error {
	taken, err := state.Keys.Get(tx, k.AccountID, k.Region, k.ID)
	if err != nil {
		return err
	}
	if taken != nil {
		return errTaken("key", k.ID)
	}
	if err := checkSwept(tx.View(), k); err != nil {
		return err
	}
	if err := put(tx, k); err != nil {
		return err
	}
	if material != nil {
		if err := state.KeyMaterials.Put(tx, material, k.AccountID, k.Region, k.ID, material.ID); err != nil {
			return err
		}
	}
	if len(tags) > 0 {
		if err := putTags(tx, k, mergeTags(nil, tags)); err != nil {
			return err
		}
	}
	if policy == nil {
		return nil
	}
	return state.KeyPolicies.Put(tx, policy, k.AccountID, k.Region, k.ID)
}

// firstMaterial gives a new key its material. It answers nil where the key waits for
// an import, or has its material in a cluster.
func (s *Service) firstMaterial(ctx context.Context, k *state.Key, now time.Time) (*state.KeyMaterial, error) {
	if k.Origin == state.OriginExternal {
		k.State = state.PendingImport
		return nil, nil
	}
	if k.Origin == state.CloudHSM {
		return nil, nil
	}
	material, err := s.generate(ctx, k, now)
	if err != nil {
		return nil, err
	}
	k.MaterialID = material.ID
	return material, nil
}

// generate makes material for a key inside the partition.
func (s *Service) generate(ctx context.Context, k *state.Key, now time.Time) (*state.KeyMaterial, error) {
	wrapped, err := s.cfg.HSM.GenerateKey(ctx, s.cfg.Generation(), k.Spec)
	if err != nil {
		return nil, partitionFault("generating key material", err)
	}
	return &state.KeyMaterial{ID: materialID(k.ID, wrapped), Created: now.UnixMilli(), Wrapped: wrapped}, nil
}

// materialID names generated material: a hash of the key's id and the wrapped
// bytes. Those are an encryption, so whoever knows the id learns nothing of the
// material, not even whether two keys have the same.
func materialID(keyID string, wrapped hsm.WrappedKey) string {
	h := sha256.New()
	h.Write([]byte("cofre key material id v1\x00" + keyID + "\x00"))
	h.Write(wrapped.Wrapped)
	return hex.EncodeToString(h.Sum(nil))
}

// newKeyID draws a key id: a UUID, or mrk- and its digits for a multi-Region key.
func newKeyID(multiRegion bool) (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("drawing a key id: %w", err)
	}
	if multiRegion {
		return "mrk-" + strings.ReplaceAll(id.String(), "-", ""), nil
	}
	return id.String(), nil
}

func (q *createKeyRequest) recorded(spec, usage string) *createKeyParameters {
	return &createKeyParameters{
		Policy: q.Policy, Description: q.Description, KeyUsage: usage, CustomerMasterKeySpec: spec, KeySpec: spec,
		Origin: q.origin(), CustomKeyStoreID: q.CustomKeyStoreID, XksKeyID: q.XksKeyID,
		BypassPolicyLockoutSafetyCheck: q.BypassPolicyLockoutSafetyCheck,
		Tags:                           recordedTags(q.Tags), MultiRegion: q.MultiRegion,
	}
}
