//go:build planted_grants

package kms

// plantedGrants plants a bug for scripts/planted to find: decisions by grants are not guarded.
const plantedGrants = true
