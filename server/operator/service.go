package operator

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/rest"
)

// Identities makes accounts and users; *identity.Service does.
type Identities interface {
	// CreateAccount writes an account with its administrator.
	CreateAccount(ctx context.Context, tx *fsm.Txn, name string) (*identity.Credentials, error)
	// CreateAdministrator writes another administrator of an account.
	CreateAdministrator(ctx context.Context, tx *fsm.Txn, accountID, userName string) (*identity.Credentials, error)
	// CreateServicePrincipal makes a credential of an AWS service.
	CreateServicePrincipal(ctx context.Context, tx *fsm.Txn, service, description string) (*identity.ServiceCredentials, error)
}

// Access decides; *authz.Authorizer does.
type Access interface {
	// Permit is nil where the caller may take an action with a resource of its
	// account; a *call.Error where it may not. What it reads guards the transaction.
	Permit(tx *fsm.Txn, c *call.Call, action, resource string) error
}

// Node is what the package asks of the cluster; *cluster.Node is one.
type Node interface {
	// Status describes the node.
	Status() cluster.Status
	// Members answers who is a member by a view of the state.
	Members(view fsm.View) ([]cluster.Admitted, error)
	// NewToken makes a join token.
	NewToken(ctx context.Context, tx *fsm.Txn, lifetime time.Duration) (string, error)
	// Expel takes a member out of the cluster, or answers cluster.ErrNoMember.
	Expel(tx *fsm.Txn, name string) error
}

// Config configures a Service.
type Config struct {
	Node       Node
	Identities Identities
	Access     Access
	// Regions are those that the cluster answers for.
	Regions []string
	// Version is the release that the node runs.
	Version string
}

// Service serves the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Routes is the table of the API.
func (s *Service) Routes() []rest.Route {
	return []rest.Route{
		s.createAccountRoute(), s.listAccountsRoute(), s.describeAccountRoute(), s.closeAccountRoute(), s.reopenAccountRoute(),
		s.deleteAccountRoute(), s.createAdministratorRoute(),
		s.createServicePrincipalRoute(), s.listServicePrincipalsRoute(), s.deleteServicePrincipalRoute(),
		s.listMembersRoute(), s.removeMemberRoute(), s.createJoinTokenRoute(),
		s.describeClusterRoute(), s.getStatusRoute(), s.getHSMRoute(), s.getLedgerHeadRoute(),
	}
}
