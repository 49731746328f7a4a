//go:build !planted_record

package record

const plantedRecord = false // see planted_record.go
