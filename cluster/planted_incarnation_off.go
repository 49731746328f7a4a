//go:build !planted_incarnation

package cluster

const plantedIncarnation = false // see planted_incarnation.go
