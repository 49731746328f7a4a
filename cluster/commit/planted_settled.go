//go:build planted_settled

package commit

// plantedSettled plants a bug for scripts/planted to find: what a batch says is settled includes batches whose outcome is open.
const plantedSettled = true
