//go:build !planted_case

package iam

const plantedCase = false // see planted_case.go
