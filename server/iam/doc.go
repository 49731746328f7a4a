// Package iam serves the part of AWS's IAM API that users of a key management
// service need: users, groups, roles, policies, access keys, OpenID Connect
// providers. Every operation is a plain function over a transaction.
//
// It is safe because of one guard: every operation reads the account's directory
// through the transaction, and every change touches it. So the operations of one
// account happen one after the other, lists included, and no decision that rests
// on identities is committed after they have changed.
package iam
