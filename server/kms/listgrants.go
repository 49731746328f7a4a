package kms

import (
	"context"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type listGrantsRequest struct {
	listRequest
	GrantID                 string
	GranteePrincipal        string
	GranteeServicePrincipal string
}

func listGrantsShape() *shape.Struct[listGrantsRequest] {
	type r = listGrantsRequest
	return shape.Of(append(pageOf(func(q *r) *listRequest { return &q.listRequest }),
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("GrantId", grantIDType(), func(q *r) *string { return &q.GrantID }),
		shape.Text("GranteePrincipal", principalIDType(), func(q *r) *string { return &q.GranteePrincipal }),
		shape.Text("GranteeServicePrincipal", servicePrincipalType(), func(q *r) *string { return &q.GranteeServicePrincipal }),
	)...)
}

type listGrantsParameters struct {
	KeyID                   string `json:"keyId"`
	Limit                   int    `json:"limit,omitempty"`
	Marker                  string `json:"marker,omitempty"`
	GrantID                 string `json:"grantId,omitempty"`
	GranteePrincipal        string `json:"granteePrincipal,omitempty"`
	GranteeServicePrincipal string `json:"granteeServicePrincipal,omitempty"`
}

type listGrantsResponse struct {
	Grants []grantListEntry
	truncation
}

type grantListEntry struct {
	KeyID                    string `json:"KeyId"`
	GrantID                  string `json:"GrantId"`
	Name                     string // "" where it has none, as AWS answers
	CreationDate             timestamp
	GranteePrincipal         string `json:",omitempty"`
	GranteeServicePrincipal  string `json:",omitempty"`
	RetiringPrincipal        string `json:",omitempty"`
	RetiringServicePrincipal string `json:",omitempty"`
	IssuingAccount           string
	Operations               []string
	Constraints              *grantConstraints `json:",omitempty"`
}

// listGrants commits its record, then reads: grants come and go without touching
// their key. The list includes whatever was acknowledged before the call.
func (s *Service) listGrants(_ context.Context, tx *fsm.Txn, c *call.Call, req *listGrantsRequest) (call.Later, error) {
	c.Record.Parameters = &listGrantsParameters{
		KeyID: req.KeyID, Limit: req.Limit, Marker: req.Marker, GrantID: req.GrantID,
		GranteePrincipal: req.GranteePrincipal, GranteeServicePrincipal: req.GranteeServicePrincipal,
	}
	if req.GranteePrincipal != "" && req.GranteeServicePrincipal != "" {
		return nil, invalid("You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.")
	}
	k, err := s.keyFor(tx, c, with(c, "kms:grantisforawsresource", "false"), req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	p, err := newPage("grants "+k.ID, req.Limit, 50, 100, req.Marker, grantID)
	if err != nil {
		return nil, err
	}
	grantee, err := principalOr(tx, req.GranteePrincipal, req.GranteeServicePrincipal)
	if err != nil {
		return nil, err
	}
	return func(view fsm.View) (any, error) {
		resp := &listGrantsResponse{Grants: []grantListEntry{}}
		if req.GrantID != "" {
			return resp, resp.one(view, k, req.GrantID, grantee)
		}
		return resp, resp.page(view, p, k, grantee)
	}, nil
}

// one reads a single grant, if the key has it.
func (r *listGrantsResponse) one(view fsm.View, k key, id string, grantee *state.Principal) error {
	g, _, err := state.Grants.Peek(view, k.AccountID, k.Region, k.ID, id)
	if err == nil && g != nil && (grantee == nil || grantee.ID == g.Grantee.ID) {
		err = r.add(view, g)
	}
	return err
}

// page reads a page of the key's grants, or of those of one grantee.
func (r *listGrantsResponse) page(view fsm.View, p page, k key, grantee *state.Principal) error {
	prefix := []string{k.AccountID, k.Region, k.ID}
	next := func(g *state.Grant) (bool, error) {
		if n := len(r.Grants); n > 0 && r.full(p, n, r.Grants[n-1].GrantID) {
			return false, nil
		}
		return true, r.add(view, g)
	}
	if grantee == nil {
		return state.Grants.Scan(view, prefix, p.start(prefix...), func(_ []string, g *state.Grant) (bool, error) { return next(g) })
	}
	entry := append(prefix[:3:3], grantee.ID, anyOperation, slotList)
	return state.GranteeGrants.Scan(view, entry, p.start(entry...), func(id []string, _ *state.GranteeGrant) (bool, error) {
		g, _, err := state.Grants.Peek(view, append(prefix[:3:3], id[len(id)-1])...)
		if err != nil || g == nil { // absent: removed between the two reads
			return err == nil, err
		}
		return next(g)
	})
}

type listRetirableGrantsRequest struct {
	listRequest
	RetiringPrincipal        string
	RetiringServicePrincipal string
}

func listRetirableGrantsShape() *shape.Struct[listRetirableGrantsRequest] {
	type r = listRetirableGrantsRequest
	return shape.Of(append(pageOf(func(q *r) *listRequest { return &q.listRequest }),
		shape.Text("RetiringPrincipal", principalIDType(), func(q *r) *string { return &q.RetiringPrincipal }),
		shape.Text("RetiringServicePrincipal", servicePrincipalType(), func(q *r) *string { return &q.RetiringServicePrincipal }),
	)...)
}

type listRetirableGrantsParameters struct {
	Limit                    int    `json:"limit,omitempty"`
	Marker                   string `json:"marker,omitempty"`
	RetiringPrincipal        string `json:"retiringPrincipal,omitempty"`
	RetiringServicePrincipal string `json:"retiringServicePrincipal,omitempty"`
}

// listRetirableGrants lists grants of keys of all accounts that name a principal
// of the caller's account. It commits its record, then reads.
func (s *Service) listRetirableGrants(_ context.Context, tx *fsm.Txn, c *call.Call, req *listRetirableGrantsRequest) (call.Later, error) {
	c.Record.Parameters = &listRetirableGrantsParameters{
		Limit: req.Limit, Marker: req.Marker,
		RetiringPrincipal: req.RetiringPrincipal, RetiringServicePrincipal: req.RetiringServicePrincipal,
	}
	if (req.RetiringPrincipal == "") == (req.RetiringServicePrincipal == "") {
		return nil, invalid("You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	}
	if req.RetiringServicePrincipal != "" { // "only usable by callers in a service principal"
		return nil, unauthorized(c, c.Operation)
	}
	p, err := newPage("retirable "+req.RetiringPrincipal, req.Limit, 50, 100, req.Marker, retirableName)
	if err != nil {
		return nil, err
	}
	retiring, err := principal(tx, req.RetiringPrincipal)
	if err != nil {
		return nil, err
	}
	if accountOf(retiring) != c.Principal.AccountID {
		return nil, unauthorized(c, c.Operation)
	}
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	prefix := []string{retiring.ID, c.Region}
	var after []string
	if p.after != "" {
		after = append(prefix[:2:2], strings.Split(p.after, "/")...)
	}
	return func(view fsm.View) (any, error) {
		resp := &listGrantsResponse{Grants: []grantListEntry{}}
		last := ""
		err := state.RetirableGrants.Scan(view, prefix, after, func(id []string, _ *state.RetirableGrant) (bool, error) {
			if n := len(resp.Grants); n > 0 && resp.full(p, n, last) {
				return false, nil
			}
			g, _, err := state.Grants.Peek(view, id[2], id[1], id[3], id[4])
			if err != nil || g == nil { // absent: removed between the two reads
				return err == nil, err
			}
			last = strings.Join(id[2:], "/")
			return true, resp.add(view, g)
		})
		return resp, err
	}, nil
}

// grantID says whether s has the form of a grant id.
func grantID(s string) bool { return len(s) == 2*tokenID && strings.Trim(s, hexDigits) == "" }

// retirableName says whether s names a grant as markers of ListRetirableGrants
// do: account id, key id and grant id.
func retirableName(s string) bool {
	parts := strings.Split(s, "/")
	return len(parts) == 3 && accountID(parts[0]) && keyID(parts[1]) && grantID(parts[2])
}

// add appends a grant to the page.
func (r *listGrantsResponse) add(view fsm.View, g *state.Grant) error {
	entry := grantListEntry{
		KeyID:   reference{account: g.AccountID, region: g.Region, id: g.KeyID}.keyARN(),
		GrantID: g.ID, Name: g.Name, CreationDate: timestamp(g.Created), IssuingAccount: rootARN(g.IssuingAccount),
		Operations: g.Operations, Constraints: answered(g),
	}
	var err error
	if entry.GranteePrincipal, entry.GranteeServicePrincipal, err = answeredPrincipal(view, &g.Grantee); err != nil {
		return err
	}
	if g.Retiring != nil {
		entry.RetiringPrincipal, entry.RetiringServicePrincipal, err = answeredPrincipal(view, g.Retiring)
	}
	r.Grants = append(r.Grants, entry)
	return err
}
