//go:build planted_incarnation

package cluster

// plantedIncarnation plants a bug for scripts/planted to find: a node that starts again numbers its batches as the last time, once in eight starts.
const plantedIncarnation = true
