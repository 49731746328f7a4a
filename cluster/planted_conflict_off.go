//go:build !planted_conflict

package cluster

const plantedConflict = false // see planted_conflict.go
