//go:build planted_policy

package kms

// plantedPolicy plants a bug for scripts/planted to find: a key policy that changes does not touch its key.
const plantedPolicy = true
