//go:build planted_status

package identity

// plantedStatus plants a bug for scripts/planted to find: only the front end looks at the status of an access key, before the transaction.
const plantedStatus = true
