package sts

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/oidc"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type webIdentityRequest struct {
	RoleARN, SessionName, Token, ProviderID string
	PolicyARNs                              []policyARN
	Policy                                  string
	DurationSeconds                         int

	// What vouchFor found.
	provider *state.OIDCProvider
	token    *oidc.Token
}

func webIdentityShape() *shape.Struct[webIdentityRequest] {
	type r = webIdentityRequest
	return shape.Of(
		shape.Text("RoleArn", arnType(), func(q *r) *string { return &q.RoleARN }).Required(),
		shape.Text("RoleSessionName", sessionNameType(), func(q *r) *string { return &q.SessionName }).Required(),
		shape.Text("WebIdentityToken", shape.String{Min: 4, Max: 20000}, func(q *r) *string { return &q.Token }).Required(),
		shape.Text("ProviderId", shape.String{Min: 4, Max: 2048}, func(q *r) *string { return &q.ProviderID }),
		shape.Structs("PolicyArns", shape.List{}, policyARNShape(), func(q *r) *[]policyARN { return &q.PolicyARNs }),
		shape.Text("Policy", shape.String{Min: 1, Max: maxSessionPolicy, Pattern: documentPattern()}, func(q *r) *string { return &q.Policy }),
		shape.Number("DurationSeconds", durationType(), func(q *r) *int { return &q.DurationSeconds }),
	)
}

// The token has no member: whoever reads the ledger could log in with it.
type webIdentityParameters struct {
	RoleARN         string        `json:"roleArn"`
	SessionName     string        `json:"roleSessionName"`
	PolicyARNs      []recordedARN `json:"policyArns,omitempty"`
	Policy          string        `json:"policy,omitempty"`
	DurationSeconds int           `json:"durationSeconds,omitempty"`
}

func badToken(format string, args ...any) error {
	return failure(http.StatusBadRequest, "InvalidIdentityToken", format, args...)
}

// vouchFor verifies the token of a request, which is signed by nothing else. The
// provider has to be registered in the role's account.
func (s *Service) vouchFor(ctx context.Context, view fsm.View, request any) (*call.Principal, error) {
	q := request.(*webIdentityRequest)
	if q.ProviderID != "" {
		return nil, invalid("ProviderId is for OAuth 2.0 access tokens only, which are not supported.")
	}
	part := strings.SplitN(q.RoleARN, ":", 6)
	if len(part) != 6 {
		return nil, invalid("%s is invalid", q.RoleARN)
	}
	issuer, err := oidc.Issuer(q.Token)
	if err != nil {
		return nil, badToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	provider, _, err := state.OIDCProviders.Peek(view, part[4], issuer)
	if err != nil {
		return nil, err
	}
	if provider == nil {
		return nil, badToken("No OpenIDConnect provider found in your account for https://%s", issuer)
	}
	token, err := s.cfg.Tokens.Verify(ctx, oidc.Provider{URL: provider.URL, Thumbprints: provider.Thumbprints}, q.Token)
	if err != nil {
		return nil, refusal(err)
	}
	if !slices.Contains(provider.ClientIDs, token.Recipient()) {
		return nil, badToken("Incorrect token audience")
	}
	q.provider, q.token = provider, token
	return &call.Principal{
		Type: "WebIdentityUser", AccountID: provider.AccountID, Provider: provider.URL, UserName: token.Subject,
		PrincipalID: provider.URL + ":" + token.Recipient() + ":" + token.Subject,
	}, nil
}

// refusal words what is wrong with a token.
func refusal(err error) error {
	switch {
	case errors.Is(err, oidc.ErrExpired):
		return failure(http.StatusBadRequest, "ExpiredTokenException", "Token expired")
	case errors.Is(err, oidc.ErrToken):
		return badToken("The web identity token that was passed could not be validated by Amazon Web Services.")
	case errors.Is(err, oidc.ErrProvider):
		return failure(http.StatusBadRequest, "IDPCommunicationError", "Couldn't retrieve verification key from your identity provider, "+
			"please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	return err
}

type webIdentityResponse struct {
	Credentials                 credentials
	SubjectFromWebIdentityToken string
	AssumedRoleUser             assumedRole
	PackedPolicySize            int `xml:",omitempty"`
	Provider                    string
	Audience                    string
}

// assumeRoleWithWebIdentity answers credentials of a role that a web identity is
// trusted with.
func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, tx *fsm.Txn, c *call.Call, q *webIdentityRequest) (*webIdentityResponse, error) {
	c.Record.Parameters = &webIdentityParameters{
		RoleARN: q.RoleARN, SessionName: q.SessionName, Policy: q.Policy, DurationSeconds: q.DurationSeconds, PolicyARNs: recordedARNs(q.PolicyARNs),
	}
	role, err := s.webRole(tx, c, q)
	if err != nil {
		return nil, err
	}
	seconds, err := duration(c, role, q.DurationSeconds)
	if err != nil {
		return nil, err
	}
	policies, packed, err := s.sessionPolicies(tx, role, q.Policy, q.PolicyARNs)
	if err != nil {
		return nil, err
	}
	who := assumed(role, q.SessionName)
	c.Record.Response = &recordedSession{
		AssumedRoleUser: (*recordedRole)(&who), PackedPolicySize: packed,
		Subject: q.token.Subject, Provider: q.provider.ARN(), Audience: q.token.Recipient(),
	}
	made, err := s.issue(ctx, tx, c, &identity.Session{
		AccountID: role.AccountID, IssuerID: role.ID, Name: q.SessionName, Policies: policies, Provider: q.provider.ARN(), Subject: q.token.Subject,
	}, seconds)
	if err != nil {
		return nil, err
	}
	return &webIdentityResponse{
		Credentials: *made, SubjectFromWebIdentityToken: q.token.Subject, AssumedRoleUser: who,
		PackedPolicySize: packed, Provider: q.provider.ARN(), Audience: q.token.Recipient(),
	}, nil
}

// webRole reads the role and the provider through the transaction, and decides by
// the role's trust policy alone.
func (s *Service) webRole(tx *fsm.Txn, c *call.Call, q *webIdentityRequest) (*state.Role, error) {
	const refused = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	provider, err := state.OIDCProviders.Get(tx, q.provider.AccountID, q.provider.URL)
	if err != nil {
		return nil, err
	}
	if provider == nil || !slices.Contains(provider.ClientIDs, q.token.Recipient()) {
		return nil, denied(refused)
	}
	role, err := findRole(tx, q.RoleARN)
	if err != nil {
		return nil, err
	}
	if role == nil {
		return nil, denied(refused)
	}
	resource(c, role)
	document, err := trust(role)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Access.Federated(c, "sts:AssumeRoleWithWebIdentity", role.ARN(), provider.ARN(), role.AccountID, document, q.get) {
		return nil, denied(refused)
	}
	return role, nil
}

// get answers the condition keys of a request: what the token says, under the
// provider's URL ("Available keys for AWS OIDC federation", IAM user guide).
func (q *webIdentityRequest) get(key string) []string {
	if key == "sts:rolesessionname" {
		return one(q.SessionName)
	}
	name, about := strings.CutPrefix(key, strings.ToLower(q.provider.URL)+":")
	if !about {
		return nil
	}
	switch name {
	case "aud":
		return one(q.token.Recipient())
	case "sub":
		return one(q.token.Subject)
	case "oaud":
		return q.token.Audience
	case "amr":
		return q.token.Methods
	}
	return nil
}
