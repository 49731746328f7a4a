//go:build planted_guard

package cluster

// plantedGuard plants a bug for scripts/planted to find: a node whose disk has failed goes on.
// It is hunted by TestDiskFails of ./cluster.
const plantedGuard = true
