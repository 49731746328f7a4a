// Package fsm owns the replicated state: a deterministic compare-and-set machine
// over records, the audit ledger that grows in the same step, and their storage
// in one Pebble database for each replica.
//
// It never looks at a clock, draws a random number, renders JSON or knows a
// business rule, and it imports neither Raft, nor the network, nor the HSM.
// Replicas that apply the same commands are identical; a running state hash
// shows it.
//
// It is safe to lose the end of what was applied: what one entry changes is
// written in one Pebble batch with the entry's index, nothing on the way is
// synced, and a crash leaves the state after some entry, from which Raft's log
// goes on. It is safe to apply a batch twice: the second time answers what the
// first one did. DESIGN.md argues the choices.
//
// A reader's way through: command.go (what comes in), apply.go (what it does),
// session.go (once), history.go (the state hash), bundle.go and tree.go (the
// ledger), record.go and cache.go (reading), checkpoint.go, stream.go,
// receive.go and directory.go (snapshots), engine.go (Pebble, and what happens
// when a disk fails).
package fsm
