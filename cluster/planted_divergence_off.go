//go:build !planted_divergence

package cluster

const plantedDivergence = false // see planted_divergence.go
