//go:build !planted_foreign

package kms

const plantedForeign = false // see planted_foreign.go
