//go:build !planted_guard

package cluster

const plantedGuard = false // see planted_guard.go
