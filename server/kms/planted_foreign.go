//go:build planted_foreign

package kms

// plantedForeign plants a bug for scripts/planted to find: imported material that is deleted leaves no trace, so that any other can be imported.
const plantedForeign = true
