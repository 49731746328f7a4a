package admin

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
)

// What the records of the operations say.
type (
	accountParameters struct {
		AccountName string `json:"accountName"`
	}
	accountResponse struct {
		AccountID   string `json:"accountId"`
		UserARN     string `json:"userArn"`
		AccessKeyID string `json:"accessKeyId"`
	}
	tokenParameters struct {
		Hours int `json:"hours"`
	}
	memberParameters struct {
		MemberName string `json:"memberName"`
	}
)

// creating is an operation that makes an account by one of identity's functions.
func creating(name string, create func(context.Context, *fsm.Txn, *NewAccount) (*identity.Credentials, error)) *call.Operation {
	return &call.Operation{Name: name, Run: func(ctx context.Context, tx *fsm.Txn, c *call.Call, request any) (any, error) {
		req := request.(*NewAccount)
		c.Record.Parameters = accountParameters{req.Name}
		made, err := create(ctx, tx, req)
		if err != nil {
			return nil, err
		}
		c.Record.Response = accountResponse{made.AccountID, made.UserARN, made.AccessKeyID}
		if c.Principal.AccountID == "" {
			c.Principal.AccountID = made.AccountID // it is the operator account
		}
		return newAccount(made), nil
	}}
}

func createAccount(s *identity.Service) *call.Operation {
	return creating("CreateAccount", func(ctx context.Context, tx *fsm.Txn, req *NewAccount) (*identity.Credentials, error) {
		return s.CreateAccount(ctx, tx, req.Name)
	})
}

func initializeCluster(s *identity.Service, generation hsm.Generation) *call.Operation {
	return creating("InitializeCluster", func(ctx context.Context, tx *fsm.Txn, req *NewAccount) (*identity.Credentials, error) {
		return s.Genesis(ctx, tx, generation, req.Name)
	})
}
