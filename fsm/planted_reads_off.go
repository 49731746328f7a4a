//go:build !planted_reads

package fsm

const plantedReads = false // see planted_reads.go
