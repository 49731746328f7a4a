package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// The exception types of a request that does not authenticate, all HTTP 400 on
// KMS ("Common Errors", KMS API reference).
const (
	missingToken       = "MissingAuthenticationTokenException"
	incomplete         = "IncompleteSignatureException"
	invalid            = "InvalidSignatureException"
	unrecognizedClient = "UnrecognizedClientException"
)

// The refusals whose text is fixed, as AWS words them.
var (
	errMissing  = call.Errorf(missingToken, "Missing Authentication Token")
	errMismatch = call.Errorf(invalid, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	errHostUnsigned = call.Errorf(invalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
)

// ErrUnrecognized refuses an access key that does not exist, is not active, or
// comes with a session token that is not its own. One error for all of them:
// who has no secret shall not learn which access keys exist.
var ErrUnrecognized = call.Errorf(unrecognizedClient, "The security token included in the request is invalid.")

// ErrExpired refuses a session that is over.
var ErrExpired = call.Errorf("ExpiredTokenException", "The security token included in the request is expired")

// fingerprint names an Authorization header in a message without repeating it,
// as AWS does.
func fingerprint(header string) string {
	sum := sha256.Sum256([]byte(header))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// unsigned refuses a request with an x-amz-* header outside the signature:
// whoever is between client and server could have put it there.
func unsigned(header string) *call.Error {
	return call.Errorf(invalid, "'%s' must be a 'SignedHeader' in the AWS Authorization.", header)
}

// requires lists what an Authorization header lacks, in AWS's order.
func requires(a *authorization, header string, dated bool) *call.Error {
	var missing strings.Builder
	for _, part := range [...]struct{ name, value string }{
		{"Credential", a.credential}, {"Signature", a.signature}, {"SignedHeaders", a.signedHeaders},
	} {
		if part.value == "" {
			missing.WriteString("Authorization header requires '" + part.name + "' parameter. ")
		}
	}
	if !dated {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() == 0 {
		return nil
	}
	return call.Errorf(incomplete, "%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing.String(), fingerprint(header))
}
