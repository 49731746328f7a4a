package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/call"
)

// Config configures a Verifier.
type Config struct {
	// Regions are those that a credential may be scoped to.
	Regions []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Verifier verifies signatures. It is safe for concurrent use.
type Verifier struct {
	regions []string
	now     func() time.Time
}

// New makes a verifier.
func New(cfg Config) *Verifier {
	v := &Verifier{regions: cfg.Regions, now: cfg.Now}
	if v.now == nil {
		v.now = time.Now
	}
	return v
}

// Claim is what a request says about its signature, well formed, current and
// rightly scoped, but not proved.
type Claim struct {
	AccessKeyID string
	Token       string // X-Amz-Security-Token; empty for long-term credentials
	Date        string // YYYYMMDD of the credential scope
	Region      string
	Service     string

	scope         string // date/region/service/aws4_request
	stamp         string // the request's date in ISO 8601 basic format
	signedHeaders string
	signature     string
	presigned     bool
}

// Scope is what a credential has to be scoped to.
type Scope struct {
	Service string
	Region  string // empty: any of Config.Regions
}

// Claim reads the claim of a request whose credential has to have a scope. A
// refusal is what the client gets; the order of the checks is AWS's.
func (v *Verifier) Claim(r *http.Request, scope Scope) (*Claim, *call.Error) {
	if Presigned(r) {
		return v.presigned(r, scope)
	}
	header := r.Header.Get("Authorization")
	auth, refusal := parseAuthorization(header)
	if refusal != nil {
		return nil, refusal
	}
	date := findDate(r.Header)
	if refusal := requires(&auth, header, date.value != ""); refusal != nil {
		return nil, refusal
	}
	token, bad := securityToken(r.Header)
	claim, refusal := v.claim(r, &auth, &date, scope)
	if refusal == nil {
		refusal = bad
	}
	if refusal != nil {
		return nil, refusal
	}
	claim.Token = token
	return claim, nil
}

// presigned reads the claim of a request that carries it in its query string. The
// session token is covered by the signature like all else that stands there.
func (v *Verifier) presigned(r *http.Request, scope Scope) (*Claim, *call.Error) {
	p, refusal := parsePresigned(r.URL.RawQuery)
	if refusal != nil {
		return nil, refusal
	}
	claim, refusal := v.claim(r, &p.authorization, &p.date, scope)
	if refusal != nil {
		return nil, refusal
	}
	claim.Token, claim.presigned = p.token, true
	return claim, nil
}

// claim checks what both ways of signing have.
func (v *Verifier) claim(r *http.Request, auth *authorization, date *requestDate, scope Scope) (*Claim, *call.Error) {
	if refusal := date.parse(); refusal != nil {
		return nil, refusal
	}
	if refusal := date.check(v.now()); refusal != nil {
		return nil, refusal
	}
	if refusal := checkSigned(r.Header, auth.signedHeaders, date.header); refusal != nil {
		return nil, refusal
	}
	if auth.algorithm != algorithm {
		return nil, call.Errorf(incomplete, "Unsupported AWS 'algorithm': '%s' (only %s for now). ", auth.algorithm, algorithm)
	}
	cred, refusal := parseCredential(auth.credential)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := v.checkScope(&cred, scope, date.stamp); refusal != nil {
		return nil, refusal
	}
	return &Claim{
		AccessKeyID: cred.keyID, Date: cred.date, Region: cred.region, Service: cred.service,
		scope: cred.scope, stamp: date.stamp, signedHeaders: auth.signedHeaders, signature: auth.signature,
	}, nil
}

// securityToken answers the session token of a request, which is signed like all
// X-Amz-* headers.
func securityToken(h http.Header) (string, *call.Error) {
	switch tokens := h["X-Amz-Security-Token"]; len(tokens) {
	case 0:
		return "", nil
	case 1:
		return tokens[0], nil
	}
	return "", ErrUnrecognized
}

// checkSigned sees to it that the signature covers what the request means: the
// host, the header with the date where there is one, and every x-amz-* header that
// was sent.
func checkSigned(h http.Header, signed, date string) *call.Error {
	if !contains(signed, "host") {
		return errHostUnsigned
	}
	if date != "" && !contains(signed, date) {
		return unsigned(http.CanonicalHeaderKey(date))
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && !contains(signed, name) {
			return unsigned(name)
		}
	}
	return nil
}

// contains says whether a SignedHeaders list names a header, in any case.
func contains(list, name string) bool {
	for list != "" {
		var item string
		item, list, _ = strings.Cut(list, ";")
		if len(item) == len(name) && strings.EqualFold(item, name) {
			return true
		}
	}
	return false
}

// checkScope reports everything that is wrong with the scope in one message.
func (v *Verifier) checkScope(c *credential, scope Scope, stamp string) *call.Error {
	region := v.valid(c.region, scope)
	if region && c.service == scope.Service && c.terminator == "aws4_request" && c.date == stamp[:8] {
		return nil
	}
	var wrong strings.Builder
	if !region {
		wrong.WriteString("Credential should be scoped to a valid region. ")
	}
	if c.service != scope.Service {
		wrong.WriteString("Credential should be scoped to correct service: '" + scope.Service + "'. ")
	}
	if c.terminator != "aws4_request" {
		wrong.WriteString("Credential should be scoped with a valid terminator: 'aws4_request'. ")
	}
	if c.date != stamp[:8] {
		wrong.WriteString("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			c.date + "' != '" + stamp[:8] + "', from '" + stamp + "'. ")
	}
	return call.Errorf(invalid, "%s", wrong.String())
}

func (v *Verifier) valid(region string, scope Scope) bool {
	if scope.Region != "" {
		return region == scope.Region
	}
	return slices.Contains(v.regions, region)
}
