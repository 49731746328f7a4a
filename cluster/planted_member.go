//go:build planted_member

package cluster

// plantedMember plants a bug for scripts/planted to find: a removed member is still welcome.
// It is hunted by TestPermits of ./cluster.
const plantedMember = true
