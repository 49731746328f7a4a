//go:build planted_later

package server

// plantedLater plants a bug for scripts/planted to find: a list is read from whatever the node has applied.
// It is hunted by TestLater of ./server.
const plantedLater = true
