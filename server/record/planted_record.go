//go:build planted_record

package record

// plantedRecord plants a bug for scripts/planted to find: one in 64 answers has no record.
const plantedRecord = true
