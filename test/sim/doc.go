// Package sim runs whole clusters in one process and in virtual time: the real
// state machine, Raft, commit queue, node-to-node TLS, services and front end, on
// a network and on disks that fail as a seed says. Clients work on them
// meanwhile; afterwards their history must have an explanation (package
// history), and the healed cluster must be well again.
//
// It has tests only. README.md says what is simulated, what is checked, what is
// not, and how far a seed repeats a run.
package sim
