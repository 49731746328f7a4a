//go:build !planted_sequence

package commit

const plantedSequence = false // see planted_sequence.go
