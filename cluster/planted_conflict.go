//go:build planted_conflict

package cluster

// plantedConflict plants a bug for scripts/planted to find: a transaction that conflicted is answered as committed.
const plantedConflict = true
