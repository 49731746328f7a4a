package sigv4

import (
	"encoding/hex"

	"github.com/cofre-kms/cofre/server/call"
)

// Forwarded is the signature of a request that somebody sent to a service, which
// the service hands on as the proof that it acts for that somebody: everything
// that a signature is verified with but the request, of which it has the hash.
type Forwarded struct {
	Authorization string // the header, as it came
	Date          string // the request's date in ISO 8601 basic format
	Request       string // hex(SHA-256(canonical request))
	Token         string // the session token; empty for long-term credentials
}

// Forwarded reads the claim of a request to a service, by its name in credential
// scopes. The Region is the service's business. It can be handed on for as long as
// S3 takes a request, 15 minutes.
func (v *Verifier) Forwarded(f Forwarded, service string) (*Claim, *call.Error) {
	auth, refusal := parseAuthorization(f.Authorization)
	if refusal != nil {
		return nil, refusal
	}
	date := requestDate{value: f.Date, life: presignedLife}
	if refusal := requires(&auth, f.Authorization, f.Date != ""); refusal != nil {
		return nil, refusal
	}
	if refusal := date.parse(); refusal != nil {
		return nil, refusal
	}
	if refusal := date.check(v.now()); refusal != nil {
		return nil, refusal
	}
	cred, refusal := parseCredential(auth.credential)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := v.checkScope(&cred, Scope{Service: service, Region: cred.region}, date.stamp); refusal != nil {
		return nil, refusal
	}
	if auth.algorithm != algorithm {
		return nil, errMismatch
	}
	return &Claim{
		AccessKeyID: cred.keyID, Token: f.Token, Date: cred.date, Region: cred.region, Service: cred.service,
		scope: cred.scope, stamp: date.stamp, signedHeaders: auth.signedHeaders, signature: auth.signature,
	}, nil
}

// VerifyForwarded proves the claim of a forwarded request by the hash of its
// canonical form.
func (c *Claim) VerifyForwarded(request string, key *SigningKey) *call.Error {
	var hash [32]byte
	if n, err := hex.Decode(hash[:], []byte(request)[:min(len(request), 64)]); err != nil || n != len(hash) || len(request) != 64 {
		return errMismatch
	}
	return c.verify(&hash, key)
}
