//go:build planted_divergence

package cluster

// plantedDivergence plants a bug for scripts/planted to find: the overseer compares no replicas.
// It is hunted by TestDivergence of ./cluster.
const plantedDivergence = true
