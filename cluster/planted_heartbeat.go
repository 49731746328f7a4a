//go:build planted_heartbeat

package cluster

// plantedHeartbeat plants a bug for scripts/planted to find: heartbeats change term and state beside Raft's main goroutine.
// It is hunted by TestDeposedLeaderStoresNothing of ./cluster.
const plantedHeartbeat = true
