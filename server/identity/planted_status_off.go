//go:build !planted_status

package identity

const plantedStatus = false // see planted_status.go
