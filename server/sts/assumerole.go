package sts

import (
	"context"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type assumeRoleRequest struct {
	RoleARN, SessionName    string
	PolicyARNs              []policyARN
	Policy                  string
	DurationSeconds         int
	Tags                    []call.Tag
	Transitive              []string
	ExternalID              string
	SerialNumber, TokenCode string
	SourceIdentity          string
}

type policyARN struct{ ARN string }

func assumeRoleShape() *shape.Struct[assumeRoleRequest] {
	type r = assumeRoleRequest
	return shape.Of(
		shape.Text("RoleArn", arnType(), func(q *r) *string { return &q.RoleARN }).Required(),
		shape.Text("RoleSessionName", sessionNameType(), func(q *r) *string { return &q.SessionName }).Required(),
		shape.Structs("PolicyArns", shape.List{}, policyARNShape(), func(q *r) *[]policyARN { return &q.PolicyARNs }),
		shape.Text("Policy", shape.String{Min: 1, Pattern: documentPattern()}, func(q *r) *string { return &q.Policy }),
		shape.Number("DurationSeconds", durationType(), func(q *r) *int { return &q.DurationSeconds }),
		shape.Structs("Tags", shape.List{Max: 50}, tagShape(), func(q *r) *[]call.Tag { return &q.Tags }),
		shape.Texts("TransitiveTagKeys", shape.List{Max: 50}, tagKeyType(), func(q *r) *[]string { return &q.Transitive }),
		shape.Text("ExternalId", externalIDType(), func(q *r) *string { return &q.ExternalID }),
		shape.Text("SerialNumber", serialNumberType(), func(q *r) *string { return &q.SerialNumber }),
		shape.Text("TokenCode", tokenCodeType(), func(q *r) *string { return &q.TokenCode }),
		shape.Text("SourceIdentity", sessionNameType(), func(q *r) *string { return &q.SourceIdentity }),
	)
}

type assumeRoleParameters struct {
	RoleARN           string        `json:"roleArn"`
	SessionName       string        `json:"roleSessionName"`
	PolicyARNs        []recordedARN `json:"policyArns,omitempty"`
	Policy            string        `json:"policy,omitempty"`
	DurationSeconds   int           `json:"durationSeconds,omitempty"`
	Tags              []recordedTag `json:"tags,omitempty"`
	TransitiveTagKeys []string      `json:"transitiveTagKeys,omitempty"`
	ExternalID        string        `json:"externalId,omitempty"`
	SourceIdentity    string        `json:"sourceIdentity,omitempty"`
}

type recordedARN struct {
	ARN string `json:"arn"`
}

type recordedTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func recordedARNs(arns []policyARN) (list []recordedARN) {
	for _, a := range arns {
		list = append(list, recordedARN(a))
	}
	return list
}

func (q *assumeRoleRequest) recorded() *assumeRoleParameters {
	p := &assumeRoleParameters{
		RoleARN: q.RoleARN, SessionName: q.SessionName, Policy: q.Policy, DurationSeconds: q.DurationSeconds,
		TransitiveTagKeys: q.Transitive, ExternalID: q.ExternalID, SourceIdentity: q.SourceIdentity,
	}
	p.PolicyARNs = recordedARNs(q.PolicyARNs)
	for _, t := range q.Tags {
		p.Tags = append(p.Tags, recordedTag(t))
	}
	return p
}

type assumeRoleResponse struct {
	SourceIdentity   string `xml:",omitempty"`
	AssumedRoleUser  assumedRole
	Credentials      credentials
	PackedPolicySize int `xml:",omitempty"`
}

type assumedRole struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	ARN           string `xml:"Arn"`
}

func assumed(role *state.Role, session string) assumedRole {
	return assumedRole{
		AssumedRoleID: role.ID + ":" + session,
		ARN:           "arn:aws:sts::" + role.AccountID + ":assumed-role/" + role.Name + "/" + session,
	}
}

// assumeRole answers credentials of a role that the caller is trusted with. What
// the role may do is decided anew by each call that the session makes.
func (s *Service) assumeRole(ctx context.Context, tx *fsm.Txn, c *call.Call, q *assumeRoleRequest) (*assumeRoleResponse, error) {
	c.Record.Parameters = q.recorded()
	if err := checkTags(q.Tags, q.Transitive); err != nil {
		return nil, err
	}
	role, err := findRole(tx, q.RoleARN)
	if err != nil {
		return nil, err
	}
	if role != nil {
		resource(c, role)
	} else { // which roles there are is nobody's business who may not assume them
		return nil, denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.Principal.ARN, q.RoleARN)
	}
	if err := s.mayAssume(tx, c, role, q); err != nil {
		return nil, err
	}
	if q.SerialNumber != "" || q.TokenCode != "" {
		return nil, denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	seconds, err := duration(c, role, q.DurationSeconds)
	if err != nil {
		return nil, err
	}
	policies, packed, err := s.sessionPolicies(tx, role, q.Policy, q.PolicyARNs)
	if err != nil {
		return nil, err
	}
	session := &identity.Session{
		AccountID: role.AccountID, IssuerID: role.ID, Name: q.SessionName, Policies: policies, Source: c.Principal.AccessKeyID,
		SourceIdentity: q.SourceIdentity, Transitive: q.Transitive,
	}
	if err := inherit(session, c.Principal.Session, q.Tags); err != nil {
		return nil, err
	}
	who := assumed(role, q.SessionName)
	c.Record.Response = &recordedSession{
		AssumedRoleUser: (*recordedRole)(&who), SourceIdentity: session.SourceIdentity, PackedPolicySize: packed,
	}
	made, err := s.issue(ctx, tx, c, session, seconds)
	if err != nil {
		return nil, err
	}
	return &assumeRoleResponse{
		SourceIdentity: session.SourceIdentity, AssumedRoleUser: who, Credentials: *made, PackedPolicySize: packed,
	}, nil
}

// resource makes a role the resource of a call; its account gets the record, too.
func resource(c *call.Call, role *state.Role) {
	c.Record.Resources = []ledger.Resource{{AccountID: role.AccountID, Type: "AWS::IAM::Role", ARN: role.ARN()}}
	c.Record.SharedWith = role.AccountID
}

// findRole reads the role that an ARN names, nil where there is none.
func findRole(tx *fsm.Txn, arn string) (*state.Role, error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[2] != "iam" || !strings.HasPrefix(part[5], "role/") {
		return nil, invalid("%s is invalid", arn)
	}
	name := strings.ToLower(part[5][strings.LastIndexByte(part[5], '/')+1:])
	role, err := state.Roles.Get(tx, part[4], name)
	if err != nil || role == nil || role.ARN() != arn {
		return nil, err
	}
	return role, nil
}

// chained is how long a session lasts at most that was made from another one, in
// seconds ("Role chaining", IAM user guide).
const chained = 3600

// duration answers how long a session lasts, in seconds.
func duration(c *call.Call, role *state.Role, asked int) (int, error) {
	limit := role.MaxSession
	chain := c.Principal.Type == "AssumedRole"
	switch {
	case asked == 0:
		return min(3600, limit), nil
	case chain && asked > chained:
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case asked > limit:
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return asked, nil
}

// inherit gives a session its tags: its own, and those that a caller's session
// hands on ("Chaining roles with session tags", IAM user guide).
func inherit(session *identity.Session, from *call.Session, tags []call.Tag) error {
	session.Tags = sorted(tags)
	if from == nil {
		return nil
	}
	if session.SourceIdentity != "" && from.SourceIdentity != "" && session.SourceIdentity != from.SourceIdentity {
		return denied("The source identity of a session cannot be changed.")
	}
	if from.SourceIdentity != "" {
		session.SourceIdentity = from.SourceIdentity
	}
	session.Source = from.Source
	for _, key := range from.Transitive {
		for _, t := range from.Tags {
			if !strings.EqualFold(t.Key, key) {
				continue
			}
			if has(session.Tags, key) {
				return failure(400, "InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts "+
					"with a transitive tag key from the calling session.")
			}
			session.Tags, session.Transitive = append(session.Tags, t), append(session.Transitive, key)
		}
	}
	session.Tags = sorted(session.Tags)
	return nil
}
