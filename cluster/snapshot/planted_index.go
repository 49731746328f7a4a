//go:build planted_index

package snapshot

// plantedIndex plants a bug for scripts/planted to find: a snapshot says that it holds one entry more than it does.
const plantedIndex = true
