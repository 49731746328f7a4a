//go:build !planted_names

package snapshot

const plantedNames = false // see planted_names.go
