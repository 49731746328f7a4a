//go:build planted_denial

package record

// plantedDenial plants a bug for scripts/planted to find: a refusal has no record.
const plantedDenial = true
