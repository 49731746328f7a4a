//go:build planted_prefix

package fsm

// plantedPrefix plants a bug for scripts/planted to find: of what a transaction read, only the last is checked.
const plantedPrefix = true
