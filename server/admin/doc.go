// Package admin is the operators' door: HTTP over a Unix socket on a node's own
// host, and the client for it.
//
// Whoever may open the socket (mode 0600) is an operator; there is no other
// authentication, so it never listens on a network. It is no way around the
// ledger: whatever changes the cluster is a transaction with its record, whose
// userIdentity is the operating system's user at the other end of the socket.
// Secrets and join tokens are answered once and kept nowhere.
package admin
