// Package clients owns nothing but tests: it runs the clients that people have,
// unmodified, against real clusters.
//
// The clients of AWS (the SDKs for Go, Python and JavaScript, and the AWS CLI) play
// one scenario, testdata/scenario.json, and must see the same answers. What is
// built on them (the AWS Encryption SDK, SOPS, Tink, the S3 Encryption Client) does
// what its users do with it, against a cluster that scripts/up has started.
//
// It is a module of its own, so that the dependencies of all these stay out of
// Cofre's.
package clients
