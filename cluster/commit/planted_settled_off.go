//go:build !planted_settled

package commit

const plantedSettled = false // see planted_settled.go
