package iam

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// Namespace is that of the API's answers.
const Namespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// Region is the region that credentials are scoped to, wherever IAM is called
// from ("IAM endpoints and quotas", AWS general reference).
const Region = "us-east-1"

// Keys makes what is drawn at random; *identity.Service does.
type Keys interface {
	// NewAccessKey makes an active access key of a user, and answers its secret,
	// which is sealed in the record.
	NewAccessKey(ctx context.Context, tx *fsm.Txn, user *state.User) (*state.AccessKey, identity.Secret, error)
	// NewID draws a unique id that begins with a prefix: "AIDA".
	NewID(ctx context.Context, prefix string) (string, error)
}

// Access decides.
type Access interface {
	// Permit is nil where the caller may take an action, "iam:CreateUser", with a
	// resource, an ARN or "*"; a *call.Error where it may not. What it reads guards
	// the transaction.
	Permit(tx *fsm.Txn, c *call.Call, action, resource string) error
	// Policies answers the policies of a user, group or role that has a unique id,
	// and its permissions boundary, nil where it has none.
	Policies(view fsm.View, account, id string) ([]authz.Source, *policy.Document, error)
}

// Config configures the service.
type Config struct {
	Keys   Keys
	Access Access
}

// Service serves the operations. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// operation is an operation with the shape of its request, which a test holds
// against the published model.
type operation struct {
	call.Operation
	request shape.Description
}

// Operations is the table of the API.
func (s *Service) Operations() (list []call.Operation) {
	for _, op := range s.table() {
		list = append(list, op.Operation)
	}
	return list
}

func (s *Service) table() []operation {
	table := s.userOperations()
	table = append(table, s.groupOperations()...)
	table = append(table, s.roleOperations()...)
	table = append(table, s.policyOperations()...)
	table = append(table, s.accessKeyOperations()...)
	table = append(table, s.providerOperations()...)
	table = append(table, s.simulationOperations()...)
	table = append(table, s.accountOperations()...)
	for _, k := range []*kind{userKind(), groupKind(), roleKind()} {
		table = append(table, s.inlineOperations(k)...)
		table = append(table, s.attachmentOperations(k)...)
		if k.tagged {
			table = append(table, s.boundaryOperations(k)...)
			table = append(table, s.tagOperations(k)...)
		}
	}
	return table
}

// CloudTrail's readOnly.
const reads, writes = true, false
