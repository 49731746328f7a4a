package identity

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// ServiceCredentials are a service's, with the secret that is shown once.
type ServiceCredentials struct {
	Service     string
	AccessKeyID string
	Secret      Secret
}

// maxServiceDescription bounds what operators write to a credential, in bytes.
const maxServiceDescription = 256

// CreateServicePrincipal makes a credential of an AWS service, for what plays its
// part: a storage server is s3.amazonaws.com, a volume manager ec2.amazonaws.com.
// A service may have several.
func (s *Service) CreateServicePrincipal(ctx context.Context, tx *fsm.Txn, service, description string) (*ServiceCredentials, error) {
	if !ServiceName(service) {
		return nil, call.Errorf("ValidationException", "A service is named like s3.amazonaws.com.")
	}
	if len(description) > maxServiceDescription {
		return nil, call.Errorf("ValidationException", "A description has at most %d bytes.", maxServiceDescription)
	}
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return nil, err
	}
	if system == nil {
		return nil, errNotInitialized
	}
	key, secret, err := s.newAccessKey(ctx, system, &state.User{AccountID: system.Operator})
	if err != nil {
		return nil, err
	}
	key.Service = service
	p := &state.ServicePrincipal{Service: service, AccessKeyID: key.ID, Description: description, Created: key.Created}
	return &ServiceCredentials{Service: service, AccessKeyID: key.ID, Secret: secret}, errors.Join(
		state.AccessKeys.Put(tx, key, key.ID),
		state.ServicePrincipals.Put(tx, p, service, key.ID),
	)
}

// ServiceName says whether a text is the name of an AWS service: lower-case
// labels under amazonaws.com.
func ServiceName(s string) bool {
	name, ok := strings.CutSuffix(s, ".amazonaws.com")
	if !ok || len(s) > 128 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// ServicePrincipals lists the credentials of services, by service.
func ServicePrincipals(view fsm.View) (list []*state.ServicePrincipal, err error) {
	err = state.ServicePrincipals.Scan(view, nil, nil, func(_ []string, p *state.ServicePrincipal) (bool, error) {
		list = append(list, p)
		return true, nil
	})
	return list, err
}

// DeleteServicePrincipal deletes a service's credential. It stops working on every
// node with the commit, like that of a user.
func DeleteServicePrincipal(tx *fsm.Txn, accessKeyID string) (*state.ServicePrincipal, error) {
	key, err := state.AccessKeys.Get(tx, accessKeyID)
	if err != nil {
		return nil, err
	}
	if key == nil || key.Service == "" {
		return nil, &call.Error{Code: "NotFound", Status: http.StatusNotFound, Message: "There is no service principal with the access key " + accessKeyID + "."}
	}
	p, err := state.ServicePrincipals.Get(tx, key.Service, key.ID)
	if err != nil {
		return nil, err
	}
	state.AccessKeys.Delete(tx, key.ID)
	state.AccessKeyUses.Delete(tx, key.ID)
	state.ServicePrincipals.Delete(tx, key.Service, key.ID)
	return p, nil
}

// serviceType is the type of services in records ("CloudTrail userIdentity
// element").
const serviceType = "AWSService"

// asService is the principal that a service's credential stands for.
func asService(key *state.AccessKey) *call.Principal {
	return &call.Principal{
		Type: serviceType, AccountID: key.AccountID, ARN: key.Service, PrincipalID: key.Service, AccessKeyID: key.ID,
		Service: &call.Service{Name: key.Service},
	}
}
