package operator

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type servicePrincipalRequest struct{ Service, Description, AccessKeyID string }

// ServicePrincipal is the credential of a service.
type ServicePrincipal struct {
	Service         string     `json:"service"` // "s3.amazonaws.com"
	AccessKeyID     string     `json:"accessKeyId"`
	SecretAccessKey string     `json:"secretAccessKey,omitempty"` // shown once, when it is made
	Description     string     `json:"description,omitempty"`
	Created         *time.Time `json:"created,omitempty"`
}

// ServicePrincipals are the credentials of services, by service.
type ServicePrincipals struct {
	ServicePrincipals []*ServicePrincipal `json:"servicePrincipals"`
}

// What records say of the operations.
type (
	servicePrincipalParameters struct {
		Service     string `json:"service,omitempty"`
		Description string `json:"description,omitempty"`
		AccessKeyID string `json:"accessKeyId,omitempty"`
	}
	servicePrincipalElements struct {
		Service     string `json:"service"`
		AccessKeyID string `json:"accessKeyId"`
	}
)

func serviceType() shape.String {
	return shape.String{Min: 1, Max: 128, Pattern: &shape.Pattern{
		Expr: `[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com`, Match: identity.ServiceName,
	}}
}

func (s *Service) createServicePrincipalRoute() rest.Route {
	type r = servicePrincipalRequest
	return rest.Bind[ServicePrincipal](rest.Spec{
		Name: "CreateServicePrincipal", ReadOnly: writes, Method: "POST", Path: "/v1/service-principals",
		Summary: "Make a credential of a service, for a storage server, a database or a volume manager that plays its part",
	}, shape.Of(
		shape.Text("service", serviceType(), func(q *r) *string { return &q.Service }).Required(),
		shape.Text("description", shape.String{Max: 256}, func(q *r) *string { return &q.Description }),
	), s.createServicePrincipal)
}

func (s *Service) createServicePrincipal(ctx context.Context, tx *fsm.Txn, c *call.Call, q *servicePrincipalRequest) (any, error) {
	c.Record.Parameters = servicePrincipalParameters{Service: q.Service, Description: q.Description}
	if err := s.permit(tx, c, "service-principal/"+q.Service); err != nil {
		return nil, err
	}
	made, err := s.cfg.Identities.CreateServicePrincipal(ctx, tx, q.Service, q.Description)
	if err != nil {
		return nil, err
	}
	c.Record.Response = servicePrincipalElements{made.Service, made.AccessKeyID}
	return &ServicePrincipal{
		Service: made.Service, AccessKeyID: made.AccessKeyID, SecretAccessKey: string(made.Secret.Reveal()), Description: q.Description,
		Created: at(c.Time.UnixMilli()),
	}, nil
}

func (s *Service) listServicePrincipalsRoute() rest.Route {
	return rest.Bind[ServicePrincipals](rest.Spec{
		Name: "ListServicePrincipals", ReadOnly: reads, Method: "GET", Path: "/v1/service-principals", Summary: "List the credentials of services",
	}, nothingShape(), s.listServicePrincipals)
}

func (s *Service) listServicePrincipals(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
	if err := s.permit(tx, c, "service-principal/*"); err != nil {
		return nil, err
	}
	return call.Later(func(view fsm.View) (any, error) {
		found, err := identity.ServicePrincipals(view)
		list := &ServicePrincipals{ServicePrincipals: []*ServicePrincipal{}}
		for _, p := range found {
			list.ServicePrincipals = append(list.ServicePrincipals, &ServicePrincipal{
				Service: p.Service, AccessKeyID: p.AccessKeyID, Description: p.Description, Created: at(p.Created),
			})
		}
		return list, err
	}), nil
}

func (s *Service) deleteServicePrincipalRoute() rest.Route {
	return rest.Bind[struct{}](rest.Spec{
		Name: "DeleteServicePrincipal", ReadOnly: writes, Method: "DELETE", Path: "/v1/service-principals/{accessKeyId}",
		Summary: "Delete the credential of a service. It stops working on every node at once",
	}, shape.Of(
		shape.Text("accessKeyId", shape.String{Min: 16, Max: 128}, func(q *servicePrincipalRequest) *string { return &q.AccessKeyID }).Required(),
	), s.deleteServicePrincipal)
}

func (s *Service) deleteServicePrincipal(_ context.Context, tx *fsm.Txn, c *call.Call, q *servicePrincipalRequest) (any, error) {
	c.Record.Parameters = servicePrincipalParameters{AccessKeyID: q.AccessKeyID}
	if err := s.permit(tx, c, "service-principal/*"); err != nil {
		return nil, err
	}
	p, err := identity.DeleteServicePrincipal(tx, q.AccessKeyID)
	if err == nil {
		c.Record.Response = servicePrincipalElements{p.Service, p.AccessKeyID}
	}
	return nil, err
}
