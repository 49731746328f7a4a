// Package xks speaks the external key store proxy API of AWS KMS ("External Key
// Store Proxy API Specification", version 1): the messages, and the client that
// KMS is. A proxy stands before a key manager elsewhere; the keys of external key
// stores are used there, through four calls that change nothing.
//
// It is the only package of the KMS service that opens connections of its own
// accord, and it opens them to nothing but the routes that it was given. It keeps
// no secret: signing keys are derived for a day and forgotten. What a proxy says
// is never repeated to a client; the package says which kind of failure it was.
package xks
