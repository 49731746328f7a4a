package kms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type createGrantRequest struct {
	KeyID                    string
	GranteePrincipal         string
	GranteeServicePrincipal  string
	RetiringPrincipal        string
	RetiringServicePrincipal string
	Operations               []string
	Constraints              *grantConstraints
	GrantTokens              []string
	Name                     string
	DryRun                   bool
}

func createGrantShape() *shape.Struct[createGrantRequest] {
	type r = createGrantRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("GranteePrincipal", principalIDType(), func(q *r) *string { return &q.GranteePrincipal }),
		shape.Text("GranteeServicePrincipal", servicePrincipalType(), func(q *r) *string { return &q.GranteeServicePrincipal }),
		shape.Text("RetiringPrincipal", principalIDType(), func(q *r) *string { return &q.RetiringPrincipal }),
		shape.Text("RetiringServicePrincipal", servicePrincipalType(), func(q *r) *string { return &q.RetiringServicePrincipal }),
		shape.Texts("Operations", shape.List{}, grantOperationType(), func(q *r) *[]string { return &q.Operations }).Required(),
		shape.Nested("Constraints", grantConstraintsShape(), func(q *r) **grantConstraints { return &q.Constraints }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
		shape.Text("Name", grantNameType(), func(q *r) *string { return &q.Name }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
	)
}

type createGrantResponse struct {
	GrantToken string
	GrantID    string `json:"GrantId"`
}

type createGrantParameters struct {
	KeyID                    string               `json:"keyId"`
	GranteePrincipal         string               `json:"granteePrincipal,omitempty"`
	GranteeServicePrincipal  string               `json:"granteeServicePrincipal,omitempty"`
	RetiringPrincipal        string               `json:"retiringPrincipal,omitempty"`
	RetiringServicePrincipal string               `json:"retiringServicePrincipal,omitempty"`
	Operations               []string             `json:"operations"`
	Constraints              *recordedConstraints `json:"constraints,omitempty"`
	Name                     string               `json:"name,omitempty"`
	DryRun                   bool                 `json:"dryRun,omitempty"`
}

type recordedConstraints struct {
	EncryptionContextSubset encryptionContext `json:"encryptionContextSubset,omitempty"`
	EncryptionContextEquals encryptionContext `json:"encryptionContextEquals,omitempty"`
	SourceArn               string            `json:"sourceArn,omitempty"`
}

// createGrantElements are the responseElements: the token is not among them.
type createGrantElements struct {
	GrantID string `json:"grantId"`
	KeyID   string `json:"keyId"`
}

// createGrant leaves the key alone: whoever uses it meanwhile is not disturbed.
// Where the request has a name, and a grant of this name and the same parameters
// exists, it is answered again.
func (s *Service) createGrant(_ context.Context, tx *fsm.Txn, c *call.Call, req *createGrantRequest) (*createGrantResponse, error) {
	c.Record.Parameters = req.recorded()
	if err := req.check(); err != nil {
		return nil, err
	}
	g := req.grant(c)
	wanted := access{action: c.Operation, tokens: req.GrantTokens, grant: g, more: req.conditions(c, g)}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	g.AccountID, g.Region, g.KeyID = k.AccountID, k.Region, k.ID
	if err := checkGrantable(k, g.Operations, g.Equals != nil || g.Subset != nil); err != nil {
		return nil, err
	}
	if err := req.resolve(tx, g); err != nil {
		return nil, err
	}
	twin, err := twinOf(tx, g)
	if err != nil {
		return nil, err
	}
	if twin == "" {
		err = checkGrantQuota(tx, k)
	}
	switch {
	case err != nil:
		return nil, err
	case req.DryRun:
		return nil, wouldSucceed()
	case twin == "":
		err = addGrant(tx, g)
	default:
		g.ID = twin
	}
	if err != nil {
		return nil, err
	}
	token, err := newToken(k.arn, g.ID)
	if err != nil {
		return nil, err
	}
	c.Record.Response = &createGrantElements{GrantID: g.ID, KeyID: k.arn}
	return &createGrantResponse{GrantToken: token, GrantID: g.ID}, nil
}

// check refuses what is wrong with a request in itself.
func (q *createGrantRequest) check() error {
	switch {
	case (q.GranteePrincipal == "") == (q.GranteeServicePrincipal == ""):
		return invalid("You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.")
	case q.RetiringPrincipal != "" && q.RetiringServicePrincipal != "":
		return invalid("You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case len(q.Operations) == 0:
		return invalid("A grant must allow at least one operation.")
	case !slices.ContainsFunc(q.Operations, func(o string) bool { return o != createGrant }):
		return invalid("Grants must not contain only the CreateGrant operation.")
	}
	if q.GranteeServicePrincipal != "" {
		if q.Constraints == nil || q.Constraints.SourceArn == "" {
			return invalid("A grant with a GranteeServicePrincipal must have a SourceArn constraint.")
		}
		if q.RetiringPrincipal == "" && q.RetiringServicePrincipal == "" {
			return invalid("A grant with a GranteeServicePrincipal must have a RetiringPrincipal or a RetiringServicePrincipal.")
		}
	}
	return q.Constraints.check()
}

// grant is the grant that is asked for, as far as it does not depend on the
// state.
func (q *createGrantRequest) grant(c *call.Call) *state.Grant {
	g := &state.Grant{ID: newGrantID(), Name: q.Name, Created: c.Time.UnixMilli(), IssuingAccount: c.Principal.AccountID}
	for _, operation := range q.Operations {
		if !slices.Contains(g.Operations, operation) {
			g.Operations = append(g.Operations, operation)
		}
	}
	if q.Constraints != nil {
		g.Equals, g.Subset = toPairs(q.Constraints.EncryptionContextEquals), toPairs(q.Constraints.EncryptionContextSubset)
		g.SourceARN = q.Constraints.SourceArn
	}
	return g
}

// conditions are the values that policies can ask for of the grant ("AWS KMS
// condition keys" in the KMS developer guide).
func (q *createGrantRequest) conditions(c *call.Call, g *state.Grant) conditionValues {
	values := conditionValues{"kms:grantoperations": g.Operations, "kms:grantisforawsresource": {forAWSResource(c)}}
	for name, value := range map[string]string{
		"kms:granteeprincipal": q.GranteePrincipal, "kms:granteeserviceprincipal": q.GranteeServicePrincipal,
		"kms:retiringprincipal": q.RetiringPrincipal, "kms:retiringserviceprincipal": q.RetiringServicePrincipal,
		"kms:grantconstraintsourcearn": g.SourceARN,
	} {
		if value != "" {
			values[name] = []string{value}
		}
	}
	if g.Equals != nil {
		values["kms:grantconstrainttype"] = append(values["kms:grantconstrainttype"], "EncryptionContextEquals")
	}
	if g.Subset != nil {
		values["kms:grantconstrainttype"] = append(values["kms:grantconstrainttype"], "EncryptionContextSubset")
	}
	return values
}

// forAWSResource is kms:GrantIsForAWSResource: whether an AWS service makes or
// revokes the grant, for somebody.
func forAWSResource(c *call.Call) string { return strconv.FormatBool(c.Principal.By() != "") }

// resolve finds the principals that the request names.
func (q *createGrantRequest) resolve(tx *fsm.Txn, g *state.Grant) error {
	grantee, err := principalOr(tx, q.GranteePrincipal, q.GranteeServicePrincipal)
	if err != nil {
		return err
	}
	g.Grantee = *grantee
	g.Retiring, err = principalOr(tx, q.RetiringPrincipal, q.RetiringServicePrincipal)
	return err
}

// principalOr finds a principal or names a service, whichever is given; nil where
// neither is.
func principalOr(tx *fsm.Txn, arn, name string) (*state.Principal, error) {
	switch {
	case name != "":
		return service(name), nil
	case arn != "":
		return principal(tx, arn)
	}
	return nil, nil
}

// twinOf answers the id of the grant that a request of the same name and the
// same parameters has made, "" where there is none. The read guards that there
// is none. Without a name every request makes a grant.
func twinOf(tx *fsm.Txn, g *state.Grant) (string, error) {
	if g.Name == "" {
		return "", nil
	}
	same := *g
	same.ID, same.Created = "", 0
	b, err := fsm.Marshal(&same)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	g.Twin = hex.EncodeToString(sum[:])
	twin, err := state.GrantTwins.Get(tx, g.AccountID, g.Region, g.KeyID, g.Twin)
	if err != nil || twin == nil {
		return "", err
	}
	return twin.GrantID, nil
}

func (q *createGrantRequest) recorded() *createGrantParameters {
	p := &createGrantParameters{
		KeyID: q.KeyID, GranteePrincipal: q.GranteePrincipal, GranteeServicePrincipal: q.GranteeServicePrincipal,
		RetiringPrincipal: q.RetiringPrincipal, RetiringServicePrincipal: q.RetiringServicePrincipal,
		Operations: append([]string{}, q.Operations...), Name: q.Name, DryRun: q.DryRun,
	}
	if q.Constraints != nil {
		p.Constraints = (*recordedConstraints)(q.Constraints)
	}
	return p
}
