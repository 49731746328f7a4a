//go:build !planted_denial

package record

const plantedDenial = false // see planted_denial.go
