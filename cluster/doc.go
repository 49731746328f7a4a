// Package cluster makes one replicated machine of several nodes: Raft, the
// transport between nodes, membership, group commit and forwarding.
//
// Its caller sees Transact: a function over a transaction that took effect at
// one instant on a quorum, or did not. Nobody outside this package knows that
// there is a leader.
package cluster
