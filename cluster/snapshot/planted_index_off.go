//go:build !planted_index

package snapshot

const plantedIndex = false // see planted_index.go
