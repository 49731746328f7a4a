//go:build planted_names

package snapshot

// plantedNames plants a bug for scripts/planted to find: the names of snapshots are not synced.
const plantedNames = true
