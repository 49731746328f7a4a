// Package fsm owns the replicated state: a deterministic compare-and-set machine
// over records, the audit ledger that grows in the same step, and their storage.
//
// It never looks at a clock, draws a random number, renders JSON or knows a
// business rule, and it imports neither Raft, nor the network, nor the HSM.
// Replicas that apply the same commands are identical; a running state hash
// shows it.
package fsm
