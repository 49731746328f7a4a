package kms

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// firstUse answers a *call.First where a request names the alias of an AWS
// managed key that the account does not have yet, and the caller may have it: as
// in AWS, the key is made when its service needs it, or somebody asks DescribeKey
// for it ("AWS managed keys" and DescribeKey in the KMS developer guide and API
// reference). It answers nil where that is not what the request is about.
func (s *Service) firstUse(tx *fsm.Txn, c *call.Call, a access, ref reference) error {
	m := managed.FindKey(ref.alias)
	if m == nil || ref.account != c.Principal.AccountID || c.Principal.Service != nil {
		return nil
	}
	if c.Principal.Via != m.Service && c.Operation != describeKey {
		return nil
	}
	now := c.Time
	k := &state.Key{
		AccountID: ref.account, Region: ref.region, State: state.Enabled, Description: m.Description, Created: now.UnixMilli(),
		Usage: encryptDecrypt, Spec: hsm.SymmetricDefault, Origin: state.OriginKMS, Managed: m.Alias,
		RotationPeriod: usualPeriod, NextRotation: after(now, usualPeriod),
	}
	if err := s.authorize(tx, c, a, ref, k); err != nil {
		return err
	}
	return &call.First{Run: func(ctx context.Context, tx *fsm.Txn) error { return s.createManaged(ctx, tx, c, k) }}
}

// createManaged makes an AWS managed key, unless somebody else has meanwhile. It
// does not count against the account's quota.
func (s *Service) createManaged(ctx context.Context, tx *fsm.Txn, c *call.Call, like *state.Key) error {
	old, err := state.Aliases.Get(tx, like.AccountID, like.Region, like.Managed)
	if err != nil || old != nil {
		return err
	}
	k := *like
	if k.ID, err = newKeyID(false); err != nil {
		return err
	}
	material, err := s.generate(ctx, &k, c.Time)
	if err != nil {
		return fmt.Errorf("making %s: %w", k.Managed, err)
	}
	k.MaterialID = material.ID
	if err := store(tx, &k, material, nil, nil); err != nil {
		return err
	}
	alias := &state.Alias{
		AccountID: k.AccountID, Region: k.Region, Name: k.Managed, KeyID: k.ID, Created: k.Created, Updated: k.Created,
	}
	if err := attach(tx, alias, &k); err != nil {
		return err
	}
	event, err := encodeEvent(&k, record.ServiceEvent{
		Name: "CreateKey", Time: c.Time, InvokedBy: c.Principal.Via,
		Response: &createKeyElements{KeyMetadata: recorded(describe(key{Key: &k, arn: k.ARN()}))},
	})
	if err == nil {
		tx.SetEvent(event)
	}
	return err
}

// manager is the KeyManager of a key.
func manager(k *state.Key) string {
	if k.Managed != "" {
		return "AWS"
	}
	return "CUSTOMER"
}
