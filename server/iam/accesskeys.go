package iam

import (
	"errors"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxAccessKeys is the quota of access keys of a user.
const maxAccessKeys = 2

const (
	active   = "Active"
	inactive = "Inactive"
)

func (s *Service) accessKeyOperations() []operation {
	return []operation{
		bind(s, "CreateAccessKey", writes, userShape(false), s.createAccessKey),
		bind(s, "UpdateAccessKey", writes, updateAccessKeyShape(), s.updateAccessKey),
		bind(s, "DeleteAccessKey", writes, accessKeyShape(), s.deleteAccessKey),
		bind(s, "ListAccessKeys", reads, listAccessKeysShape(), s.listAccessKeys),
		bind(s, "GetAccessKeyLastUsed", reads, accessKeyLastUsedShape(), s.accessKeyLastUsed),
	}
}

// accessKey is an access key in an answer.
type accessKey struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      query.Time
}

func status(key *state.AccessKey) string {
	if key.Active {
		return active
	}
	return inactive
}

type accessKeyResponse struct{ AccessKey accessKey }

// createAccessKey answers a secret that is never answered again.
func (s *Service) createAccessKey(v *visit, q *nameRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.Name}
	u, err := s.user(v, q.Name)
	if err != nil {
		return nil, err
	}
	n := 0
	if err := eachAccessKey(v, u, func(*state.AccessKey) error { n++; return nil }); err != nil || n >= maxAccessKeys {
		return nil, either(err, limitExceeded("AccessKeysPerUser", maxAccessKeys))
	}
	key, secret, err := s.cfg.Keys.NewAccessKey(v, v.tx, u)
	if err != nil {
		return nil, err
	}
	key.Created = v.now()
	v.c.Record.Response = accessKeyElements{recordedEntity{
		UserName: u.Name, AccessKeyID: key.ID, Status: active, CreateDate: calendar(key.Created),
	}}
	return accessKeyResponse{accessKey{
			UserName: u.Name, AccessKeyID: key.ID, Status: active, SecretAccessKey: string(secret.Reveal()), CreateDate: query.Time(key.Created),
		}}, errors.Join(
			state.AccessKeys.Put(v.tx, key, key.ID),
			state.UserAccessKeys.Put(v.tx, &state.UserAccessKey{}, v.account, u.ID, key.ID),
			v.changed(),
		)
}

type accessKeyRequest struct{ UserName, AccessKeyID, Status string }

func accessKeyMembers() []shape.Member[accessKeyRequest] {
	type r = accessKeyRequest
	return []shape.Member[r]{
		shape.Text("UserName", existingUserNameType(), func(q *r) *string { return &q.UserName }),
		shape.Text("AccessKeyId", accessKeyIDType(), func(q *r) *string { return &q.AccessKeyID }).Required(),
	}
}

func accessKeyShape() *shape.Struct[accessKeyRequest] { return shape.Of(accessKeyMembers()...) }

func updateAccessKeyShape() *shape.Struct[accessKeyRequest] {
	return shape.Of(append(accessKeyMembers(),
		shape.Text("Status", statusType(), func(q *accessKeyRequest) *string { return &q.Status }).Required())...)
}

// accessKey reads the access key that a request names.
func (s *Service) accessKey(v *visit, q *accessKeyRequest) (*state.User, *state.AccessKey, error) {
	v.c.Record.Parameters = &parameters{UserName: q.UserName, AccessKeyID: q.AccessKeyID, Status: q.Status}
	u, err := s.user(v, q.UserName)
	if err != nil {
		return nil, nil, err
	}
	key, err := state.AccessKeys.Get(v.tx, q.AccessKeyID)
	if err != nil || key == nil || key.UserID != u.ID {
		return nil, nil, either(err, noSuchEntity("The Access Key with id %s cannot be found.", q.AccessKeyID))
	}
	return u, key, nil
}

// updateAccessKey takes effect on every node with its commit: each call reads the
// access key that it was signed with through its transaction.
func (s *Service) updateAccessKey(v *visit, q *accessKeyRequest) (any, error) {
	_, key, err := s.accessKey(v, q)
	if err != nil {
		return nil, err
	}
	if q.Status != active && q.Status != inactive {
		return nil, invalid("Status %s cannot be set.", q.Status)
	}
	next := *key
	next.Active = q.Status == active
	return nil, errors.Join(state.AccessKeys.Put(v.tx, &next, key.ID), v.changed())
}

func (s *Service) deleteAccessKey(v *visit, q *accessKeyRequest) (any, error) {
	u, key, err := s.accessKey(v, q)
	if err != nil {
		return nil, err
	}
	state.AccessKeys.Delete(v.tx, key.ID)
	state.AccessKeyUses.Delete(v.tx, key.ID)
	state.UserAccessKeys.Delete(v.tx, v.account, u.ID, key.ID)
	return nil, v.changed()
}

func listAccessKeysShape() *shape.Struct[listOfRequest] {
	type r = listOfRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("UserName", existingUserNameType(), func(q *r) *string { return &q.Name }),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

type listAccessKeysResponse struct {
	AccessKeyMetadata query.List[accessKey]
	truncation
}

func (s *Service) listAccessKeys(v *visit, q *listOfRequest) (any, error) {
	v.c.Record.Parameters = &parameters{UserName: q.Name, Marker: q.Marker, MaxItems: q.MaxItems}
	u, err := s.user(v, q.Name)
	if err != nil {
		return nil, err
	}
	out := &listAccessKeysResponse{}
	err = eachAccessKey(v, u, func(key *state.AccessKey) error {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, accessKey{
			UserName: u.Name, AccessKeyID: key.ID, Status: status(key), CreateDate: query.Time(key.Created),
		})
		return nil
	})
	return out, err
}

// eachAccessKey goes through a user's access keys.
func eachAccessKey(v *visit, u *state.User, do func(*state.AccessKey) error) error {
	return each(v, state.UserAccessKeys, u.ID, func(id string, _ *state.UserAccessKey) error {
		key, _, err := state.AccessKeys.Peek(v.tx.View(), id)
		if err != nil || key == nil {
			return err
		}
		return do(key)
	})
}

func accessKeyLastUsedShape() *shape.Struct[accessKeyRequest] {
	return shape.Of(shape.Text("AccessKeyId", accessKeyIDType(), func(q *accessKeyRequest) *string { return &q.AccessKeyID }).Required())
}

type accessKeyLastUsedResponse struct {
	UserName          string
	AccessKeyLastUsed accessKeyLastUsed
}

type accessKeyLastUsed struct {
	LastUsedDate *query.Time `xml:",omitempty"`
	ServiceName  string
	Region       string
}

// accessKeyLastUsed answers when and for what an access key of the account was
// last used, to a quarter of an hour.
func (s *Service) accessKeyLastUsed(v *visit, q *accessKeyRequest) (any, error) {
	v.c.Record.Parameters = &parameters{AccessKeyID: q.AccessKeyID}
	key, err := state.AccessKeys.Get(v.tx, q.AccessKeyID)
	if err != nil {
		return nil, err
	}
	about := v.arn("user", "/", "*")
	own := key != nil && key.AccountID == v.account && key.Service == ""
	if own {
		if u, err := byID(v, state.Users, key.UserID); err != nil || u != nil {
			if err != nil {
				return nil, err
			}
			about = u.ARN()
		}
	}
	if err := s.permit(v, about); err != nil {
		return nil, err
	}
	if !own {
		return nil, noSuchEntity("The Access Key with id %s cannot be found.", q.AccessKeyID)
	}
	use, _, err := state.AccessKeyUses.Peek(v.tx.View(), key.ID)
	if err != nil {
		return nil, err
	}
	out := accessKeyLastUsedResponse{key.UserName, accessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}}
	if use != nil {
		at := query.Time(use.Time)
		out.AccessKeyLastUsed = accessKeyLastUsed{&at, use.Service, use.Region}
	}
	return out, nil
}
