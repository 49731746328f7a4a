package operator

import (
	"errors"
	"net/http"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// PrincipalType is the userIdentity type of an operator at a node's own socket.
// It is none of AWS's, and no credential has it.
const PrincipalType = "Operator"

var errNotInitialized = errors.New("operator: the cluster has no system record")

// permit decides whether the caller may do what the call's operation does with a
// resource of the cluster: "account/123456789012", or "*" for all of a kind.
func (s *Service) permit(tx *fsm.Txn, c *call.Call, resource string) error {
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return err
	}
	if system == nil {
		return errNotInitialized
	}
	if c.Principal.Type == PrincipalType {
		return nil
	}
	arn := "arn:aws:cofre::" + system.Operator + ":" + resource
	if c.Principal.AccountID != system.Operator {
		return refuse(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: cofre:%s on resource: %s because "+
			"only principals of the operator account may", c.Principal.ARN, c.Operation, arn)
	}
	return s.cfg.Access.Permit(tx, c, "cofre:"+c.Operation, arn)
}

// refuse makes a refusal with a status.
func refuse(status int, code, format string, args ...any) error {
	e := call.Errorf(code, format, args...)
	e.Status = status
	return e
}

func notFound(format string, args ...any) error {
	return refuse(http.StatusNotFound, "NotFound", format, args...)
}

func conflict(format string, args ...any) error {
	return refuse(http.StatusConflict, "Conflict", format, args...)
}
