//go:build !planted_deletion

package kms

const plantedDeletion = false // see planted_deletion.go
