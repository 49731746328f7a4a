//go:build !planted_replica

package kms

const plantedReplica = false // see planted_replica.go
