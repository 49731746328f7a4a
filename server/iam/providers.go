package iam

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// The quotas of OpenID Connect providers.
const (
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
)

func (s *Service) providerOperations() []operation {
	return []operation{
		bind(s, "CreateOpenIDConnectProvider", writes, createProviderShape(), s.createProvider),
		bind(s, "GetOpenIDConnectProvider", reads, providerShape(), s.getProvider),
		bind(s, "ListOpenIDConnectProviders", reads, shape.Of[struct{}](), s.listProviders),
		bind(s, "DeleteOpenIDConnectProvider", writes, providerShape(), s.deleteProvider),
		bind(s, "AddClientIDToOpenIDConnectProvider", writes, providerClientShape(), s.addClientID),
		bind(s, "RemoveClientIDFromOpenIDConnectProvider", writes, providerClientShape(), s.removeClientID),
		bind(s, "UpdateOpenIDConnectProviderThumbprint", writes, providerThumbprintsShape(), s.updateThumbprints),
	}
}

func clientIDType() shape.String   { return shape.String{Min: 1, Max: 255} }
func thumbprintType() shape.String { return shape.String{Min: 40, Max: 40} }

type providerRequest struct {
	ARN, URL, ClientID     string
	ClientIDs, Thumbprints []string
	Tags                   []tag
}

func (q *providerRequest) recorded() *parameters {
	return &parameters{
		ProviderARN: q.ARN, URL: q.URL, ClientID: q.ClientID, ClientIDs: q.ClientIDs, Thumbprints: q.Thumbprints, Tags: recordedTags(q.Tags),
	}
}

func createProviderShape() *shape.Struct[providerRequest] {
	type r = providerRequest
	return shape.Of(
		shape.Text("Url", shape.String{Min: 1, Max: 255}, func(q *r) *string { return &q.URL }).Required(),
		shape.Texts("ClientIDList", shape.List{}, clientIDType(), func(q *r) *[]string { return &q.ClientIDs }),
		shape.Texts("ThumbprintList", shape.List{}, thumbprintType(), func(q *r) *[]string { return &q.Thumbprints }),
		shape.Structs("Tags", shape.List{Max: maxTags}, tagShape(), func(q *r) *[]tag { return &q.Tags }),
	)
}

func providerARNMember() shape.Member[providerRequest] {
	return shape.Text("OpenIDConnectProviderArn", arnType(), func(q *providerRequest) *string { return &q.ARN }).Required()
}

func providerShape() *shape.Struct[providerRequest] { return shape.Of(providerARNMember()) }

func providerClientShape() *shape.Struct[providerRequest] {
	return shape.Of(providerARNMember(),
		shape.Text("ClientID", clientIDType(), func(q *providerRequest) *string { return &q.ClientID }).Required())
}

func providerThumbprintsShape() *shape.Struct[providerRequest] {
	return shape.Of(providerARNMember(), shape.Texts("ThumbprintList", shape.List{}, thumbprintType(),
		func(q *providerRequest) *[]string { return &q.Thumbprints }).Required())
}

type createProviderResponse struct {
	ARN  string          `xml:"OpenIDConnectProviderArn"`
	Tags query.List[tag] `xml:",omitempty"`
}

func (s *Service) createProvider(v *visit, q *providerRequest) (any, error) {
	v.c.Record.Parameters = q.recorded()
	issuer, err := url.Parse(q.URL)
	if err != nil || issuer.Scheme != "https" || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil {
		return nil, invalid("Invalid Open ID Connect Provider URL")
	}
	p := &state.OIDCProvider{
		AccountID: v.account, URL: strings.TrimSuffix(issuer.Host+issuer.EscapedPath(), "/"), ClientIDs: q.ClientIDs, Thumbprints: q.Thumbprints,
		Created: v.now(), Tags: merge(nil, q.Tags),
	}
	if err := s.permit(v, p.ARN()); err != nil {
		return nil, err
	}
	if old, err := state.OIDCProviders.Get(v.tx, v.account, p.URL); err != nil || old != nil {
		return nil, either(err, failure(409, "EntityAlreadyExists", "Provider with url %s already exists.", q.URL))
	}
	if err := checkProvider(q); err != nil {
		return nil, err
	}
	if n, err := count(v, state.OIDCProviders); err != nil || n >= maxProviders {
		return nil, either(err, limitExceeded("OpenIdConnectProvidersPerAccount", maxProviders))
	}
	v.c.Record.Response = providerElements{p.ARN()}
	return createProviderResponse{ARN: p.ARN(), Tags: tagsOf(p.Tags)}, putProvider(v, p)
}

func checkProvider(q *providerRequest) error {
	switch {
	case len(q.ClientIDs) > maxClientIDs:
		return limitExceeded("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	case len(q.Thumbprints) > maxThumbprints:
		return limitExceeded("ThumbprintsPerOpenIdConnectProvider", maxThumbprints)
	}
	return checkTags(q.Tags)
}

func putProvider(v *visit, p *state.OIDCProvider) error {
	return errors.Join(state.OIDCProviders.Put(v.tx, p, v.account, p.URL), v.changed())
}

// provider reads the provider that a request names.
func (s *Service) provider(v *visit, q *providerRequest) (*state.OIDCProvider, error) {
	p, err := s.providerAt(v, q)
	if err != nil || p == nil {
		return nil, either(err, noSuchEntity("OpenIDConnect Provider not found for arn %s", q.ARN))
	}
	return p, nil
}

// providerAt is provider where there may be none: then it answers nil.
func (s *Service) providerAt(v *visit, q *providerRequest) (*state.OIDCProvider, error) {
	v.c.Record.Parameters = q.recorded()
	if err := s.permit(v, q.ARN); err != nil {
		return nil, err
	}
	issuer, own := strings.CutPrefix(q.ARN, "arn:aws:iam::"+v.account+":oidc-provider/")
	if !own {
		return nil, nil
	}
	return state.OIDCProviders.Get(v.tx, v.account, issuer)
}

type providerResponse struct {
	URL            string `xml:"Url"`
	ClientIDList   query.List[string]
	ThumbprintList query.List[string]
	CreateDate     query.Time
	Tags           query.List[tag] `xml:",omitempty"`
}

func (s *Service) getProvider(v *visit, q *providerRequest) (any, error) {
	p, err := s.provider(v, q)
	if err != nil {
		return nil, err
	}
	return providerResponse{
		URL: p.URL, ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, CreateDate: query.Time(p.Created), Tags: tagsOf(p.Tags),
	}, nil
}

type listProvidersResponse struct {
	List query.List[listedProvider] `xml:"OpenIDConnectProviderList"`
}

type listedProvider struct {
	ARN string `xml:"Arn"`
}

func (s *Service) listProviders(v *visit, _ *struct{}) (any, error) {
	v.c.Record.Parameters = &parameters{}
	if err := s.permit(v, "*"); err != nil {
		return nil, err
	}
	out := &listProvidersResponse{}
	err := state.OIDCProviders.Scan(v.tx.View(), []string{v.account}, nil, func(_ []string, p *state.OIDCProvider) (bool, error) {
		out.List = append(out.List, listedProvider{p.ARN()})
		return true, nil
	})
	return out, err
}

// deleteProvider deletes a provider, and succeeds where there is none
// ("DeleteOpenIDConnectProvider", IAM API reference).
func (s *Service) deleteProvider(v *visit, q *providerRequest) (any, error) {
	p, err := s.providerAt(v, q)
	if err != nil || p == nil {
		return nil, err
	}
	state.OIDCProviders.Delete(v.tx, v.account, p.URL)
	return nil, v.changed()
}

func (s *Service) addClientID(v *visit, q *providerRequest) (any, error) {
	p, err := s.provider(v, q)
	if err != nil {
		return nil, err
	}
	if slices.Contains(p.ClientIDs, q.ClientID) {
		return nil, nil
	}
	if len(p.ClientIDs) >= maxClientIDs {
		return nil, limitExceeded("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	}
	next := *p
	next.ClientIDs = append(slices.Clone(p.ClientIDs), q.ClientID)
	return nil, putProvider(v, &next)
}

func (s *Service) removeClientID(v *visit, q *providerRequest) (any, error) {
	p, err := s.provider(v, q)
	if err != nil {
		return nil, err
	}
	next := *p
	next.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(id string) bool { return id == q.ClientID })
	return nil, putProvider(v, &next)
}

func (s *Service) updateThumbprints(v *visit, q *providerRequest) (any, error) {
	p, err := s.provider(v, q)
	if err != nil {
		return nil, err
	}
	if err := checkProvider(q); err != nil {
		return nil, err
	}
	next := *p
	next.Thumbprints = q.Thumbprints
	return nil, putProvider(v, &next)
}
