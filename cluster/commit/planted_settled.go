//go:build planted_settled

package commit

// plantedSettled plants a bug for scripts/planted to find: a batch settles all before it, those whose outcome is open too.
const plantedSettled = true
