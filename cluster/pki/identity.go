package pki

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Identity is what a node's certificate proves, as the URI
// "cofre-node:NAME/MEMBER" in its subject alternative name (RFC 5280 §4.2.1.6).
type Identity struct {
	// Name is the node's name, its Raft server ID.
	Name string
	// Member tells two nodes apart that bore the name one after the other.
	Member string
}

const scheme = "cofre-node"

// ValidName says whether a name can be a node's: 1 to 63 of a-z, 0-9 and hyphen.
func ValidName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return len(name) >= 1 && len(name) <= 63 && containsOnly(name, letters)
}

func containsOnly(s, set string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) }) < 0
}

func (id Identity) uri() *url.URL {
	return &url.URL{Scheme: scheme, Opaque: id.Name + "/" + id.Member}
}

// IdentityOf reads the identity in a certificate. It does not verify it.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != scheme {
		return Identity{}, ErrNotNode
	}
	name, member, ok := strings.Cut(cert.URIs[0].Opaque, "/")
	if !ok || !ValidName(name) || member == "" {
		return Identity{}, fmt.Errorf("%w: %s", ErrNotNode, cert.URIs[0])
	}
	return Identity{Name: name, Member: member}, nil
}
