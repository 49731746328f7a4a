// Package ledger owns the audit ledger's arithmetic and shapes: the CloudTrail
// event, the RFC 6962 Merkle tree, checkpoints and proofs.
//
// It does no I/O and imports nothing of Cofre, so that an auditor can build a
// verifier on it alone.
package ledger
