package kms

import (
	"context"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type describeCustomKeyStoresRequest struct {
	CustomKeyStoreID   string
	CustomKeyStoreName string
	listRequest
}

func describeCustomKeyStoresShape() *shape.Struct[describeCustomKeyStoresRequest] {
	type r = describeCustomKeyStoresRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("CustomKeyStoreId", customKeyStoreIDType(), func(q *r) *string { return &q.CustomKeyStoreID }),
		shape.Text("CustomKeyStoreName", customKeyStoreNameType(), func(q *r) *string { return &q.CustomKeyStoreName }),
	}, pageOf(func(q *r) *listRequest { return &q.listRequest })...)...)
}

type describeCustomKeyStoresParameters struct {
	CustomKeyStoreID   string `json:"customKeyStoreId,omitempty"`
	CustomKeyStoreName string `json:"customKeyStoreName,omitempty"`
	Limit              int    `json:"limit,omitempty"`
	Marker             string `json:"marker,omitempty"`
}

type describeCustomKeyStoresResponse struct {
	CustomKeyStores []keyStoreEntry
	truncation
}

type keyStoreEntry struct {
	CustomKeyStoreID       string `json:"CustomKeyStoreId"`
	CustomKeyStoreName     string
	CustomKeyStoreType     string
	CloudHsmClusterID      string `json:"CloudHsmClusterId,omitempty"`
	TrustAnchorCertificate string `json:",omitempty"`
	ConnectionState        string
	ConnectionErrorCode    string `json:",omitempty"`
	CreationDate           timestamp
	XksProxyConfiguration  *proxyConfiguration `json:",omitempty"`
}

type proxyConfiguration struct {
	Connectivity            string
	AccessKeyID             string `json:"AccessKeyId"`
	URIEndpoint             string `json:"UriEndpoint"`
	URIPath                 string `json:"UriPath"`
	VPCEndpointServiceName  string `json:"VpcEndpointServiceName,omitempty"`
	VPCEndpointServiceOwner string `json:"VpcEndpointServiceOwner,omitempty"`
}

// describeCustomKeyStores reads the few stores that an account can have within the
// transaction, each by guard: their connection states are those of one instant.
func (s *Service) describeCustomKeyStores(_ context.Context, tx *fsm.Txn, c *call.Call, req *describeCustomKeyStoresRequest) (*describeCustomKeyStoresResponse, error) {
	if *req != (describeCustomKeyStoresRequest{}) {
		c.Record.Parameters = &describeCustomKeyStoresParameters{
			CustomKeyStoreID: req.CustomKeyStoreID, CustomKeyStoreName: req.CustomKeyStoreName, Limit: req.Limit, Marker: req.Marker,
		}
	}
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	if req.CustomKeyStoreID != "" && req.CustomKeyStoreName != "" {
		return nil, invalid("You can specify either CustomKeyStoreId or CustomKeyStoreName, but not both.")
	}
	p, err := newPage("custom-key-stores", req.Limit, 100, 1000, req.Marker, func(id string) bool { return strings.HasPrefix(id, "cks-") })
	if err != nil {
		return nil, err
	}
	all, err := keyStores(tx, c.Principal.AccountID, c.Region)
	if err != nil {
		return nil, err
	}
	resp := &describeCustomKeyStoresResponse{CustomKeyStores: []keyStoreEntry{}}
	for _, store := range all {
		if !req.wants(store) || store.ID <= p.after {
			continue
		}
		if n := len(resp.CustomKeyStores); n > 0 && resp.full(p, n, resp.CustomKeyStores[n-1].CustomKeyStoreID) {
			break
		}
		current, err := readKeyStore(tx, c, store.ID)
		if err != nil {
			return nil, err
		}
		resp.CustomKeyStores = append(resp.CustomKeyStores, entry(current))
	}
	if len(resp.CustomKeyStores) == 0 && req.CustomKeyStoreID+req.CustomKeyStoreName != "" {
		return nil, noKeyStore(req.CustomKeyStoreID + req.CustomKeyStoreName)
	}
	return resp, nil
}

func (q *describeCustomKeyStoresRequest) wants(s *state.CustomKeyStore) bool {
	return (q.CustomKeyStoreID == "" || q.CustomKeyStoreID == s.ID) && (q.CustomKeyStoreName == "" || q.CustomKeyStoreName == s.Name)
}

func entry(s *state.CustomKeyStore) keyStoreEntry {
	e := keyStoreEntry{
		CustomKeyStoreID: s.ID, CustomKeyStoreName: s.Name, CustomKeyStoreType: s.Type, CreationDate: timestamp(s.Created),
		ConnectionState: s.Connection, ConnectionErrorCode: s.ErrorCode, CloudHsmClusterID: s.ClusterID, TrustAnchorCertificate: s.TrustAnchor,
	}
	if s.Type == state.ExternalKeyStore {
		e.XksProxyConfiguration = &proxyConfiguration{
			Connectivity: s.Connectivity, AccessKeyID: s.AccessKeyID, URIEndpoint: s.Endpoint, URIPath: s.Path,
			VPCEndpointServiceName: s.VPCService, VPCEndpointServiceOwner: s.VPCOwner,
		}
	}
	return e
}
