//go:build planted_deletion

package kms

// plantedDeletion plants a bug for scripts/planted to find: the steward deletes a key without looking whether it still shall.
// It is hunted by TestCancelBeatsTheSteward of ./server/kms.
const plantedDeletion = true
