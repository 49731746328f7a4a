//go:build planted_sessions

package fsm

// plantedSessions plants a bug for scripts/planted to find: an installed snapshot forgets which batches took effect.
const plantedSessions = true
