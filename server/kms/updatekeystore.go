package kms

import (
	"cmp"
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type updateCustomKeyStoreRequest struct {
	CustomKeyStoreID      string
	NewCustomKeyStoreName string
	KeyStorePassword      string
	CloudHsmClusterID     string
	proxySettings
}

func updateCustomKeyStoreShape() *shape.Struct[updateCustomKeyStoreRequest] {
	type r = updateCustomKeyStoreRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("CustomKeyStoreId", customKeyStoreIDType(), func(q *r) *string { return &q.CustomKeyStoreID }).Required(),
		shape.Text("NewCustomKeyStoreName", customKeyStoreNameType(), func(q *r) *string { return &q.NewCustomKeyStoreName }),
		shape.Text("KeyStorePassword", keyStorePasswordType(), func(q *r) *string { return &q.KeyStorePassword }),
		shape.Text("CloudHsmClusterId", cloudHsmClusterIDType(), func(q *r) *string { return &q.CloudHsmClusterID }),
	}, proxyMembers(func(q *r) *proxySettings { return &q.proxySettings })...)...)
}

type updateCustomKeyStoreParameters struct {
	CustomKeyStoreID      string `json:"customKeyStoreId"`
	NewCustomKeyStoreName string `json:"newCustomKeyStoreName,omitempty"`
	ClusterID             string `json:"clusterId,omitempty"`
	recordedProxy
}

// updateCustomKeyStore changes a store. Its keys stay as they are: whether the new
// proxy or cluster has the same external keys is its owner's business.
func (s *Service) updateCustomKeyStore(ctx context.Context, tx *fsm.Txn, c *call.Call, req *updateCustomKeyStoreRequest) (*nothing, error) {
	c.Record.Parameters = &updateCustomKeyStoreParameters{
		CustomKeyStoreID: req.CustomKeyStoreID, NewCustomKeyStoreName: req.NewCustomKeyStoreName, ClusterID: req.CloudHsmClusterID,
		recordedProxy: req.recorded(),
	}
	store, err := s.keyStore(tx, c, req.CustomKeyStoreID)
	if err != nil {
		return nil, err
	}
	if err := req.check(store); err != nil {
		return nil, err
	}
	all, err := keyStores(tx, store.AccountID, store.Region)
	if err != nil {
		return nil, err
	}
	next := *store
	next.Name = cmp.Or(req.NewCustomKeyStoreName, store.Name)
	if err := checkName(all, store.ID, next.Name); err != nil {
		return nil, err
	}
	if req.backing() {
		if err := s.rebase(ctx, tx, c, all, &next, req); err != nil {
			return nil, err
		}
	}
	return &nothing{}, putKeyStore(tx, &next)
}

// backing says whether the request changes what is behind the store.
func (q *updateCustomKeyStoreRequest) backing() bool {
	return q.proxySettings != (proxySettings{}) || q.KeyStorePassword != "" || q.CloudHsmClusterID != ""
}

// check refuses an update that is none, that is of the other type of store, or that
// the connection state does not allow: the name, and a proxy's path and credential,
// can change while the store is connected.
func (q *updateCustomKeyStoreRequest) check(store *state.CustomKeyStore) error {
	switch {
	case q.NewCustomKeyStoreName == "" && !q.backing():
		return invalid("You must specify at least one property of the custom key store to update.")
	case store.Type == state.CloudHSM && q.proxySettings != (proxySettings{}):
		return invalid("XksProxy parameters are valid only with a CustomKeyStoreType of EXTERNAL_KEY_STORE.")
	case store.Type != state.CloudHSM && (q.KeyStorePassword != "" || q.CloudHsmClusterID != ""):
		return invalid("CloudHsmClusterId and KeyStorePassword are valid only with a CustomKeyStoreType of AWS_CLOUDHSM.")
	case q.XksProxyConnectivity != "" && q.XksProxyConnectivity != store.Connectivity && q.XksProxyURIEndpoint == "":
		return invalid("You must specify XksProxyUriEndpoint when you change XksProxyConnectivity.")
	case store.Connection == state.Disconnected, store.Connection == state.Connected && q.mild():
		return nil
	}
	return notInState(store)
}

// mild says whether the update is one that a connected store allows.
func (q *updateCustomKeyStoreRequest) mild() bool {
	rest := q.proxySettings
	rest.XksProxyURIPath, rest.XksProxyAuthenticationCredential = "", nil
	return rest == (proxySettings{}) && q.KeyStorePassword == "" && q.CloudHsmClusterID == ""
}

// rebase changes what is behind a store, the caller's copy, and tries it.
func (s *Service) rebase(ctx context.Context, tx *fsm.Txn, c *call.Call, all []*state.CustomKeyStore, next *state.CustomKeyStore, req *updateCustomKeyStoreRequest) error {
	if next.Type == state.CloudHSM {
		return s.recluster(ctx, tx, next, req)
	}
	if err := s.setProxy(ctx, tx, next, &req.proxySettings); err != nil {
		return err
	}
	if err := checkConnectivity(next.Connectivity, next.VPCService, next.Path); err != nil {
		return err
	}
	return s.checkBacking(ctx, tx, c, all, next, true)
}
