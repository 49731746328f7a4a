//go:build planted_sequence

package commit

// plantedSequence plants a bug for scripts/planted to find: two batches get one number, now and then.
const plantedSequence = true
