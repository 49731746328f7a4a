//go:build planted_replica

package kms

// plantedReplica plants a bug for scripts/planted to find: a rotation does not reach the replicas.
const plantedReplica = true
