//go:build planted_touch

package kms

// plantedTouch plants a bug for scripts/planted to find: an alias that changes does not touch its key.
// It is hunted by TestAliasQuotaAtOneInstant of ./server/kms.
const plantedTouch = true
