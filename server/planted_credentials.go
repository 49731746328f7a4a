//go:build planted_credentials

package server

// plantedCredentials plants a bug for scripts/planted to find: an access key that the node does not know is refused at once.
// It is hunted by TestUnauthenticatedLeavesNoRecord of ./server.
const plantedCredentials = true
