package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/sigv4"
)

// The headers of services (docs/adr/0014-service-principals.md). They are covered
// by the service's own signature, as all X-Amz-* headers are.
const (
	// What somebody's request to the service was signed with: sigv4.Forwarded.
	forwardedAuthorization = "X-Amz-Cofre-Forwarded-Authorization"
	forwardedDate          = "X-Amz-Cofre-Forwarded-Date"
	forwardedRequest       = "X-Amz-Cofre-Forwarded-Request"
	forwardedToken         = "X-Amz-Cofre-Forwarded-Security-Token"
	// On account of what the service calls, for itself.
	sourceARN     = "X-Amz-Source-Arn"
	sourceAccount = "X-Amz-Source-Account"
)

// errNoService refuses to believe in somebody else's signature whoever is no
// service.
var errNoService = call.Errorf("InvalidSignatureException", "Only service principals can forward the signature of a request, and only that of somebody else.")

// forward finds out for whom a service calls, where it does not call for itself.
// The proof is that somebody's request to it, which is signed.
func (a *authenticator) forward(ctx context.Context, r *http.Request, who *caller) error {
	f := sigv4.Forwarded{
		Authorization: r.Header.Get(forwardedAuthorization), Date: r.Header.Get(forwardedDate),
		Request: r.Header.Get(forwardedRequest), Token: r.Header.Get(forwardedToken),
	}
	service := ""
	if who.key != nil {
		service = who.key.Service
	}
	switch {
	case f == sigv4.Forwarded{}:
		who.service = call.Service{Name: service, SourceARN: r.Header.Get(sourceARN), SourceAccount: r.Header.Get(sourceAccount)}
		return nil
	case service == "":
		return &unauthenticated{errNoService}
	}
	name, _, _ := strings.Cut(service, ".")
	claim, refusal := a.verifier.Forwarded(f, name)
	if refusal != nil {
		return &unauthenticated{refusal}
	}
	behind, signingKey, err := a.credentials(ctx, claim)
	if err != nil {
		return err
	}
	if refusal := claim.VerifyForwarded(f.Request, signingKey); refusal != nil {
		return &unauthenticated{refusal}
	}
	if behind.key != nil && behind.key.Service != "" {
		return &unauthenticated{errNoService}
	}
	who.behind = behind
	return nil
}

// confirmService adds to a service's principal what it says of itself, or answers
// that of whom it calls for.
func (a *authenticator) confirmService(tx *fsm.Txn, who *caller, p *call.Principal) (*call.Principal, error) {
	if who.behind == nil {
		service := who.service
		p.Service = &service
		return p, nil
	}
	behind, err := a.confirm(tx, who.behind)
	if err != nil {
		return nil, err
	}
	behind.Via = p.Service.Name
	return behind, nil
}
