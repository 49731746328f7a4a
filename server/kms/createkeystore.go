package kms

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// proxySettings are the members of a request that say where an external key store's
// proxy is, and its credential.
type proxySettings struct {
	XksProxyURIEndpoint              string
	XksProxyURIPath                  string
	XksProxyVPCEndpointServiceName   string
	XksProxyVPCEndpointServiceOwner  string
	XksProxyAuthenticationCredential *proxyCredential
	XksProxyConnectivity             string
}

type proxyCredential struct {
	AccessKeyID        string
	RawSecretAccessKey string
}

func proxyMembers[T any](of func(*T) *proxySettings) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Text("XksProxyUriEndpoint", xksProxyURIEndpointType(), func(q *T) *string { return &of(q).XksProxyURIEndpoint }),
		shape.Text("XksProxyUriPath", xksProxyURIPathType(), func(q *T) *string { return &of(q).XksProxyURIPath }),
		shape.Text("XksProxyVpcEndpointServiceName", xksProxyVPCEndpointServiceNameType(),
			func(q *T) *string { return &of(q).XksProxyVPCEndpointServiceName }),
		shape.Text("XksProxyVpcEndpointServiceOwner", accountIDType(), func(q *T) *string { return &of(q).XksProxyVPCEndpointServiceOwner }),
		shape.Nested("XksProxyAuthenticationCredential", proxyCredentialShape(),
			func(q *T) **proxyCredential { return &of(q).XksProxyAuthenticationCredential }),
		shape.Text("XksProxyConnectivity", xksProxyConnectivityType(), func(q *T) *string { return &of(q).XksProxyConnectivity }),
	}
}

func proxyCredentialShape() *shape.Struct[proxyCredential] {
	type r = proxyCredential
	return shape.Of(
		shape.Text("AccessKeyId", xksProxyAccessKeyIDType(), func(q *r) *string { return &q.AccessKeyID }).Required(),
		shape.Text("RawSecretAccessKey", xksProxySecretType(), func(q *r) *string { return &q.RawSecretAccessKey }).Required(),
	)
}

type createCustomKeyStoreRequest struct {
	CustomKeyStoreName     string
	CloudHsmClusterID      string
	TrustAnchorCertificate string
	KeyStorePassword       string
	CustomKeyStoreType     string
	proxySettings
}

func createCustomKeyStoreShape() *shape.Struct[createCustomKeyStoreRequest] {
	type r = createCustomKeyStoreRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("CustomKeyStoreName", customKeyStoreNameType(), func(q *r) *string { return &q.CustomKeyStoreName }).Required(),
		shape.Text("CloudHsmClusterId", cloudHsmClusterIDType(), func(q *r) *string { return &q.CloudHsmClusterID }),
		shape.Text("TrustAnchorCertificate", trustAnchorCertificateType(), func(q *r) *string { return &q.TrustAnchorCertificate }),
		shape.Text("KeyStorePassword", keyStorePasswordType(), func(q *r) *string { return &q.KeyStorePassword }),
		shape.Text("CustomKeyStoreType", customKeyStoreType(), func(q *r) *string { return &q.CustomKeyStoreType }),
	}, proxyMembers(func(q *r) *proxySettings { return &q.proxySettings })...)...)
}

// recordedProxy is what records say of a proxy: everything but the credential.
type recordedProxy struct {
	XksProxyURIEndpoint             string `json:"xksProxyUriEndpoint,omitempty"`
	XksProxyURIPath                 string `json:"xksProxyUriPath,omitempty"`
	XksProxyVPCEndpointServiceName  string `json:"xksProxyVpcEndpointServiceName,omitempty"`
	XksProxyVPCEndpointServiceOwner string `json:"xksProxyVpcEndpointServiceOwner,omitempty"`
	XksProxyConnectivity            string `json:"xksProxyConnectivity,omitempty"`
}

func (p *proxySettings) recorded() recordedProxy {
	return recordedProxy{
		XksProxyURIEndpoint: p.XksProxyURIEndpoint, XksProxyURIPath: p.XksProxyURIPath,
		XksProxyVPCEndpointServiceName:  p.XksProxyVPCEndpointServiceName,
		XksProxyVPCEndpointServiceOwner: p.XksProxyVPCEndpointServiceOwner, XksProxyConnectivity: p.XksProxyConnectivity,
	}
}

type createCustomKeyStoreParameters struct {
	CustomKeyStoreName string `json:"customKeyStoreName"`
	CustomKeyStoreType string `json:"customKeyStoreType"`
	ClusterID          string `json:"clusterId,omitempty"`
	recordedProxy
}

type createCustomKeyStoreResponse struct {
	CustomKeyStoreID string `json:"CustomKeyStoreId"`
}

type createCustomKeyStoreElements struct {
	CustomKeyStoreID string `json:"customKeyStoreId"`
}

// createCustomKeyStore asks the proxy for its health first, where AWS does: of a
// public endpoint.
func (s *Service) createCustomKeyStore(ctx context.Context, tx *fsm.Txn, c *call.Call, req *createCustomKeyStoreRequest) (*createCustomKeyStoreResponse, error) {
	c.Record.Parameters = &createCustomKeyStoreParameters{
		CustomKeyStoreName: req.CustomKeyStoreName, CustomKeyStoreType: req.kind(), ClusterID: req.CloudHsmClusterID,
		recordedProxy: req.recorded(),
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	all, err := keyStores(tx, c.Principal.AccountID, c.Region)
	if err != nil {
		return nil, err
	}
	if err := checkName(all, "", req.CustomKeyStoreName); err != nil {
		return nil, err
	}
	if len(all) >= maxKeyStores {
		return nil, limitExceeded("An account cannot have more than %d custom key stores in a Region.", maxKeyStores)
	}
	store, err := s.newKeyStore(ctx, tx, c, req)
	if err != nil {
		return nil, err
	}
	if err := s.checkBacking(ctx, tx, c, all, store, store.Connectivity == state.PublicEndpoint); err != nil {
		return nil, err
	}
	c.Record.Response = &createCustomKeyStoreElements{CustomKeyStoreID: store.ID}
	return &createCustomKeyStoreResponse{CustomKeyStoreID: store.ID}, putKeyStore(tx, store)
}

func (q *createCustomKeyStoreRequest) kind() string {
	return cmp.Or(q.CustomKeyStoreType, state.CloudHSM)
}

// check refuses members that are missing, or are of the other type of store.
func (q *createCustomKeyStoreRequest) check() error {
	if q.kind() == state.CloudHSM {
		if q.proxySettings != (proxySettings{}) {
			return invalid("XksProxy parameters are valid only with a CustomKeyStoreType of EXTERNAL_KEY_STORE.")
		}
		return required(q.kind(), "CloudHsmClusterId", q.CloudHsmClusterID, "KeyStorePassword", q.KeyStorePassword,
			"TrustAnchorCertificate", q.TrustAnchorCertificate)
	}
	if q.CloudHsmClusterID != "" || q.KeyStorePassword != "" || q.TrustAnchorCertificate != "" {
		return invalid("CloudHsmClusterId, KeyStorePassword and TrustAnchorCertificate are valid only with a CustomKeyStoreType of AWS_CLOUDHSM.")
	}
	credential := ""
	if q.XksProxyAuthenticationCredential != nil {
		credential = q.XksProxyAuthenticationCredential.AccessKeyID
	}
	if err := required(q.kind(), "XksProxyConnectivity", q.XksProxyConnectivity, "XksProxyAuthenticationCredential", credential,
		"XksProxyUriEndpoint", q.XksProxyURIEndpoint, "XksProxyUriPath", q.XksProxyURIPath); err != nil {
		return err
	}
	return checkConnectivity(q.XksProxyConnectivity, q.XksProxyVPCEndpointServiceName, q.XksProxyURIPath)
}

// required refuses the first of name and value, name and value, … that has no value.
func required(kind string, members ...string) error {
	for pair := range slices.Chunk(members, 2) {
		if pair[1] == "" {
			return invalid("You must specify %s when CustomKeyStoreType is %s.", pair[0], kind)
		}
	}
	return nil
}

// checkConnectivity refuses what does not go together, and versions of the proxy API
// that there are not.
func checkConnectivity(connectivity, service, path string) error {
	switch {
	case connectivity == state.VPCEndpointService && service == "":
		return invalid("You must specify XksProxyVpcEndpointServiceName when XksProxyConnectivity is VPC_ENDPOINT_SERVICE.")
	case connectivity == state.PublicEndpoint && service != "":
		return invalid("XksProxyVpcEndpointServiceName is valid only with an XksProxyConnectivity of VPC_ENDPOINT_SERVICE.")
	case !strings.HasSuffix(path, "/kms/xks/v1"):
		return invalid("XksProxyUriPath must end with /kms/xks/v1.")
	}
	return nil
}

// newKeyStore makes the record of a new store, disconnected.
func (s *Service) newKeyStore(ctx context.Context, tx *fsm.Txn, c *call.Call, req *createCustomKeyStoreRequest) (*state.CustomKeyStore, error) {
	id, err := newKeyStoreID()
	if err != nil {
		return nil, err
	}
	store := &state.CustomKeyStore{
		AccountID: c.Principal.AccountID, Region: c.Region, ID: id, Name: req.CustomKeyStoreName, Type: req.kind(),
		Created: c.Time.UnixMilli(), Connection: state.Disconnected,
		ClusterID: req.CloudHsmClusterID, TrustAnchor: req.TrustAnchorCertificate,
	}
	if taken, err := state.CustomKeyStores.Get(tx, store.AccountID, store.Region, id); err != nil || taken != nil {
		return nil, cmp.Or(err, errTaken("custom key store", id))
	}
	if store.Type == state.CloudHSM {
		return store, s.sealKeyStore(ctx, tx, store, []byte(req.KeyStorePassword))
	}
	return store, s.setProxy(ctx, tx, store, &req.proxySettings)
}

// setProxy sets what a request says of a store's proxy: what it leaves out stays.
func (s *Service) setProxy(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore, p *proxySettings) error {
	store.Endpoint = cmp.Or(p.XksProxyURIEndpoint, store.Endpoint)
	store.Path = cmp.Or(p.XksProxyURIPath, store.Path)
	store.Connectivity = cmp.Or(p.XksProxyConnectivity, store.Connectivity)
	store.VPCService = cmp.Or(p.XksProxyVPCEndpointServiceName, store.VPCService)
	store.VPCOwner = cmp.Or(p.XksProxyVPCEndpointServiceOwner, store.VPCOwner, store.AccountID)
	if store.Connectivity == state.PublicEndpoint {
		store.VPCService, store.VPCOwner = p.XksProxyVPCEndpointServiceName, ""
	}
	if p.XksProxyAuthenticationCredential == nil {
		return nil
	}
	store.AccessKeyID = p.XksProxyAuthenticationCredential.AccessKeyID
	return s.sealKeyStore(ctx, tx, store, []byte(p.XksProxyAuthenticationCredential.RawSecretAccessKey))
}

// checkBacking refuses a store that is new or has changed because of what is behind
// it: because another store has that, or because it does not answer.
func (s *Service) checkBacking(ctx context.Context, tx *fsm.Txn, c *call.Call, all []*state.CustomKeyStore, store *state.CustomKeyStore, probe bool) error {
	if store.Type == state.CloudHSM {
		return s.claimCluster(tx, store)
	}
	for _, other := range all {
		if other.ID == store.ID || other.Type != store.Type {
			continue
		}
		if err := disjoint(store, other); err != nil {
			return err
		}
	}
	if err := s.checkRoute(store); err != nil || !probe {
		return err
	}
	return managing(s.probe(ctx, tx, c, store))
}

// disjoint refuses a store that shares with another what has to be its own.
func disjoint(store, other *state.CustomKeyStore) error {
	switch {
	case store.Endpoint == other.Endpoint && store.Path == other.Path:
		return call.Errorf("XksProxyUriInUseException", "The XksProxyUriEndpoint %s with the XksProxyUriPath %s is already in use by "+
			"another external key store in this Region.", store.Endpoint, store.Path)
	case store.Endpoint == other.Endpoint &&
		(store.Connectivity != other.Connectivity || store.Connectivity == state.VPCEndpointService):
		return call.Errorf("XksProxyUriEndpointInUseException", "The XksProxyUriEndpoint %s is already in use by another external key "+
			"store in this Region.", store.Endpoint)
	case store.VPCService != "" && store.VPCService == other.VPCService:
		return call.Errorf("XksProxyVpcEndpointServiceInUseException", "The VPC endpoint service %s is already in use by another external "+
			"key store in this Region.", store.VPCService)
	}
	return nil
}
