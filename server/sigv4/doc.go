// Package sigv4 verifies AWS Signature Version 4 in its header form ("Create a
// signed AWS API request", IAM user guide), and makes it for the few requests that
// Cofre itself sends.
//
// It knows neither users nor where secrets are kept: its caller looks the access
// key up between [Verifier.Claim], which says whose signature it claims to be,
// and [Claim.Verify]. It never answers that a request is authentic unless the
// method, path, query, host, every x-amz-* header and the hash of the body that
// was really received are under the signature; UNSIGNED-PAYLOAD does not exist
// for it. The secret itself is needed once a day and region to derive a signing
// key; only those derived keys are kept in memory.
package sigv4
