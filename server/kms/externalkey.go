package kms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
)

// Keys in external key stores are used twice: what the partition has encrypted with
// the KMS key's own material the proxy encrypts again with the external key, so that
// neither side alone can read it ("Double encryption", KMS developer guide).

// proxy is a store as the client of proxies needs it.
func (s *Service) proxy(tx *fsm.Txn, store *state.CustomKeyStore) *xks.Store {
	return &xks.Store{
		Endpoint: store.Endpoint, VPCService: store.VPCService, Path: store.Path, Region: store.Region,
		AccessKeyID: store.AccessKeyID, SecretID: store.ID + hex.EncodeToString(store.Secret.Nonce[:]),
		Secret: func(ctx context.Context) ([]byte, error) { return s.openKeyStore(ctx, tx, store) },
	}
}

// onBehalf is what a proxy hears of a call; arn is "" where there is no key yet.
func onBehalf(c *call.Call, arn string) xks.RequestMetadata {
	who := c.Principal.ARN
	if session := c.Principal.Session; session != nil && session.Issuer.Type == "Role" {
		who = session.Issuer.ARN // aws:PrincipalArn
	}
	return xks.RequestMetadata{AWSPrincipalARN: who, KMSKeyARN: arn, KMSOperation: c.Operation, KMSRequestID: c.RequestID}
}

// probe asks a store's proxy for its health.
func (s *Service) probe(ctx context.Context, tx *fsm.Txn, c *call.Call, store *state.CustomKeyStore) error {
	health, err := s.cfg.Proxies.Health(ctx, s.proxy(tx, store), xks.RequestMetadata{KMSOperation: c.Operation, KMSRequestID: c.RequestID})
	if err != nil {
		return s.noted(store, err)
	}
	if !health.Usable() {
		return s.noted(store, &xks.Error{Failure: xks.Unreachable, Detail: "all external key managers are unavailable"})
	}
	return nil
}

// noted logs what went wrong with a proxy: clients hear only of which kind it was.
func (s *Service) noted(store *state.CustomKeyStore, err error) error {
	s.cfg.Logger.Warn("external key store", "account", store.AccountID, "region", store.Region, "store", store.ID, "error", err)
	return err
}

// checkRoute refuses a store whose proxy this cluster is not configured to call. A
// VPC endpoint service is a route under its name.
func (s *Service) checkRoute(store *state.CustomKeyStore) error {
	switch {
	case s.cfg.Proxies.Configured(store.Endpoint, store.VPCService):
		return nil
	case store.VPCService == "":
		return managing(&xks.Error{Failure: xks.NotConfigured})
	case !s.cfg.Proxies.Serves(store.VPCService):
		return call.Errorf("XksProxyVpcEndpointServiceNotFoundException", "The VPC endpoint service %s was not found.", store.VPCService)
	}
	return call.Errorf("XksProxyVpcEndpointServiceInvalidConfigurationException",
		"The private DNS name of the VPC endpoint service %s is not that of the XksProxyUriEndpoint.", store.VPCService)
}

// enroll gives a new key in an external key store its external key.
func (s *Service) enroll(ctx context.Context, tx *fsm.Txn, c *call.Call, store *state.CustomKeyStore, k *state.Key) error {
	id := []string{k.AccountID, k.Region, store.ID, k.XksKeyID}
	taken, err := state.ExternalKeys.Get(tx, id...)
	if err != nil {
		return err
	}
	if taken != nil {
		return call.Errorf("XksKeyAlreadyInUseException",
			"The external key %s is already associated with another KMS key in this external key store.", k.XksKeyID)
	}
	metadata, err := s.cfg.Proxies.KeyMetadata(ctx, s.proxy(tx, store), k.XksKeyID, onBehalf(c, ""))
	if err != nil {
		return enrolling(s.noted(store, err))
	}
	if !metadata.Usable() {
		return call.Errorf("XksKeyInvalidConfigurationException",
			"The external key must be an enabled AES-256 symmetric key that performs encryption and decryption.")
	}
	return state.ExternalKeys.Put(tx, &state.ExternalKey{KeyID: k.ID}, id...)
}

// sealOutside has a proxy encrypt what the partition has encrypted.
func (s *Service) sealOutside(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, inner, aad []byte) ([]byte, error) {
	outer, err := s.cfg.Proxies.Encrypt(ctx, s.proxy(tx, k.store), k.XksKeyID, onBehalf(c, k.arn), inner, bounded(aad))
	if err != nil {
		return nil, using(s.noted(k.store, err))
	}
	return outer.Marshal(), nil
}

// openOutside undoes sealOutside.
func (s *Service) openOutside(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, envelope, aad []byte) ([]byte, error) {
	outer, ok := xks.ParseCiphertext(envelope)
	if !ok {
		return nil, invalidCiphertext()
	}
	inner, err := s.cfg.Proxies.Decrypt(ctx, s.proxy(tx, k.store), k.XksKeyID, onBehalf(c, k.arn), outer, bounded(aad))
	if err != nil {
		return nil, using(s.noted(k.store, err))
	}
	return inner, nil
}

// bounded is what a proxy authenticates: all of it, or its hash where it is more
// than every proxy takes. What is not a hash is never of a hash's length.
func bounded(aad []byte) []byte {
	if len(aad) <= xks.MaxAAD {
		return aad
	}
	sum := sha256.Sum256(aad)
	return sum[:]
}
