// Package authz decides whether a caller may do what it asks for. It finds the
// policies that have a say, as records of the replicated state, and lets package
// policy decide.
//
// It owns no rules: those are policy's. It owns no state but caches of compiled
// documents, which are kept under the revision of the record that guards them, so
// that none is ever stale. It reads through the caller's transaction: a decision
// is true at the instant at which the operation takes effect, or the transaction
// conflicts and is decided again (docs/adr/0011-decisions-are-guarded.md).
package authz
