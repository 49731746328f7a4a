//go:build !planted_fsync

package sim

const plantedFsync = false // see planted_fsync.go
