package audit

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// Node is what the package asks of the cluster; *cluster.Node is one.
type Node interface {
	// Checkpoint is the published checkpoint of the ledger.
	Checkpoint() ([]byte, error)
	// VerifierKeys are the members' keys for checkpoints.
	VerifierKeys() ([]string, error)
	// Hashes reads the hashes of the ledger.
	Hashes() tlog.HashReader
	// Sync returns when this node's state has everything that was acknowledged
	// before the call.
	Sync(ctx context.Context) error
}

// Access decides; *authz.Authorizer does.
type Access interface {
	// Permit is nil where the caller may take an action with a resource of its
	// account; a *call.Error where it may not. What it reads guards the transaction.
	Permit(tx *fsm.Txn, c *call.Call, action, resource string) error
}

// Config configures a Service.
type Config struct {
	Node   Node
	Ledger cluster.Records
	Access Access
}

// Service serves the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Routes is the table of the API.
func (s *Service) Routes() []rest.Route {
	return []rest.Route{
		s.getCheckpointRoute(), s.getTileRoute(), s.listKeysRoute(), s.getProofRoute(), s.getConsistencyProofRoute(),
	}
}

// reads is CloudTrail's readOnly.
const reads = true

// The content types of answers.
const (
	mediaText = "text/plain; charset=utf-8"
	mediaTile = "application/octet-stream"
)

// nothing is a request without members.
type nothing struct{}

func nothingShape() *shape.Struct[nothing] { return shape.Of[nothing]() }

// permit decides whether the caller may take the call's operation: by its own
// account's policies, since what it gets holds nobody's records.
func (s *Service) permit(tx *fsm.Txn, c *call.Call) error {
	if c.Principal.Type == operator.PrincipalType {
		return nil
	}
	return s.cfg.Access.Permit(tx, c, "cofre:"+c.Operation, "*")
}

// permitRecords decides whether the caller may take the call's operation on
// records of an account, "" for those of all accounts. The operator account may
// read all.
func (s *Service) permitRecords(tx *fsm.Txn, c *call.Call, account string) error {
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return err
	}
	if system == nil {
		return errors.New("audit: the cluster has no system record")
	}
	own := c.Principal.AccountID
	if c.Principal.Type != operator.PrincipalType && own != system.Operator && own != account {
		return refuse(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: cofre:%s because "+
			"the records are not those of its account", c.Principal.ARN, c.Operation)
	}
	return s.permit(tx, c)
}

// refuse makes a refusal with a status.
func refuse(status int, code, format string, args ...any) error {
	e := call.Errorf(code, format, args...)
	e.Status = status
	return e
}

// published answers the checkpoint.
func (s *Service) published() ([]byte, error) {
	note, err := s.cfg.Node.Checkpoint()
	if errors.Is(err, cluster.ErrNoCheckpoint) {
		return nil, refuse(http.StatusNotFound, "NotFound", "No checkpoint has been published yet.")
	}
	return note, err
}
