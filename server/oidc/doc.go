// Package oidc verifies the ID tokens of OpenID Connect providers: how workloads
// in Kubernetes or CI log in without a stored secret.
//
// It fetches what providers publish, and nothing else, over TLS that is verified,
// without following redirects, bounded in size and time; keys are kept for a
// while. It is safe because a token counts only once its signature verifies under
// a key that its issuer publishes at its own address; the token chooses neither
// the key nor the algorithm (RFC 8725 §3.1).
package oidc
