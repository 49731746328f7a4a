//go:build !planted_stall

package cluster

const plantedStall = false // see planted_stall.go
