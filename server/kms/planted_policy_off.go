//go:build !planted_policy

package kms

const plantedPolicy = false // see planted_policy.go
