//go:build !planted_refused

package cluster

const plantedRefused = false // see planted_refused.go
