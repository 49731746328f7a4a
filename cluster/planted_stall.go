//go:build planted_stall

package cluster

// plantedStall plants a bug for scripts/planted to find: a leader whose disk hangs goes on saying that it is well.
// It is hunted by TestDiskHangs of ./cluster.
const plantedStall = true
