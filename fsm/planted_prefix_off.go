//go:build !planted_prefix

package fsm

const plantedPrefix = false // see planted_prefix.go
