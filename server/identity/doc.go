// Package identity owns accounts, users and access keys: their records, how they
// are made, and who a request's access key stands for.
//
// It knows nothing of HTTP and signatures. A secret exists in clear twice: when
// it is made, to be shown to its owner once, and for the moment in which a
// signing key is derived from it. In between it is sealed by the HSM, bound to
// its access key's id.
package identity
