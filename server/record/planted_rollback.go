//go:build planted_rollback

package record

// plantedRollback plants a bug for scripts/planted to find: an operation that is refused keeps what it has written.
// It is hunted by TestRefusals of ./server.
const plantedRollback = true
