//go:build planted_fsync

package sim

// plantedFsync plants a bug for scripts/planted to find: the Raft log acknowledges what it has not written.
const plantedFsync = true
