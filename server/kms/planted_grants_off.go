//go:build !planted_grants

package kms

const plantedGrants = false // see planted_grants.go
