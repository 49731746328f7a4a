// Package audit serves the ledger to those who check it, at /v1/ledger/: the signed
// checkpoint, verifier keys, tiles and entry bundles as C2SP tlog-tiles has them,
// and proofs.
//
// It computes nothing that package ledger does not, and is trusted with nothing:
// a client verifies what it gets by the verifier keys. Records of all accounts are
// for principals of the operator account; the proof of a record is also for those
// of the account whose record it is.
package audit
