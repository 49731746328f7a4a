//go:build planted_reads

package fsm

// plantedReads plants a bug for scripts/planted to find: transactions commit whatever has changed since they read it.
const plantedReads = true
