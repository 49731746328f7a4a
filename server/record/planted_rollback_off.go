//go:build !planted_rollback

package record

const plantedRollback = false // see planted_rollback.go
