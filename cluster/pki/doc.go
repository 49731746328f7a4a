// Package pki owns the cluster's certificates: what its authority signs, how a
// node proves its name, and the TLS settings of the node port.
//
// It keeps no state, reads no clock (times are arguments) and holds no
// authority's key: signing is the caller's crypto.Signer, a key in the HSM
// partition. It is safe because a node is whoever holds a certificate of the
// cluster's own authority with the node's URI, and nothing else that the
// authority signs carries such a URI.
package pki

import "errors"

var (
	// ErrNotNode is returned for a certificate that proves no node's name.
	ErrNotNode = errors.New("pki: not a node's certificate")
	// ErrWrongNode is returned when another node answers than the one called.
	ErrWrongNode = errors.New("pki: another node")
	// ErrWrongAuthority is returned when the authority is not the pinned one.
	ErrWrongAuthority = errors.New("pki: not the pinned authority")
)

// Protocols of the node port (RFC 7301 ALPN).
const (
	ProtocolRaft = "cofre-raft/1" // Raft's own messages
	ProtocolNode = "cofre-node/1" // calls between nodes
	ProtocolJoin = "cofre-join/1" // a node without a certificate asks for one
)
