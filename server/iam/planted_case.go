//go:build planted_case

package iam

// plantedCase plants a bug for scripts/planted to find: whether a user's name is taken is looked up as the name is written.
const plantedCase = true
