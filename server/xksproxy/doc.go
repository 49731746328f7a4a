// Package xksproxy serves the external key store proxy API of AWS KMS ("External Key
// Store Proxy API Specification", version 1), so that AWS KMS can use keys that are
// held here as the external keys of its own KMS keys.
//
// It knows how requests and answers look, and whose they are; what they do to keys
// are operations of server/kms, and each answer about a key leaves only when its
// record is committed. AWS KMS signs with credentials that are configured for a path,
// and acts there as one user of one account, whose policies decide.
package xksproxy
