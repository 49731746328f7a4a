package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// cluster is an authority and who has certificates of it.
type cluster struct {
	t         *testing.T
	authority *Authority
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	authority, err := NewAuthority(newKey(t), rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, authority: authority}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// node issues a certificate at a time.
func (c *cluster) node(name string, at time.Time) *tls.Certificate {
	c.t.Helper()
	key := newKey(c.t)
	cert, err := c.authority.Node(key.Public(), Identity{Name: name, Member: "m-" + name}, at)
	if err != nil {
		c.t.Fatal(err)
	}
	return Pair(cert, key, c.authority.Certificate)
}

func (c *cluster) endpoint(cert *tls.Certificate) *Endpoint {
	return &Endpoint{
		Authority:   c.authority.Certificate,
		Certificate: func() *tls.Certificate { return cert },
		Allow:       func(Identity) error { return nil },
		Now:         func() time.Time { return now },
	}
}

// meet runs a handshake and answers both sides' errors. With TLS 1.3 a client
// learns of its refusal when it reads.
func meet(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan error, 1)
	s := tls.Server(far, server)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte{1})
		}
		far.Close()
		done <- err
	}()
	c := tls.Client(near, client)
	clientErr = c.Handshake()
	if clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
	}
	near.Close()
	serverErr = <-done
	return s.ConnectionState(), clientErr, serverErr
}

func TestMutual(t *testing.T) {
	c, foreign := newCluster(t), newCluster(t)
	server := c.endpoint(c.node("one", now))
	apiKey := newKey(t)
	api, err := c.authority.Server(apiKey.Public(), []string{"localhost", "127.0.0.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	strict := *c.endpoint(c.node("two", now))
	strict.Allow = func(id Identity) error {
		if id.Member != "m-other" {
			return ErrWrongNode
		}
		return nil
	}
	for _, test := range []struct {
		name    string
		server  *Endpoint
		client  *tls.Config
		refused bool
	}{
		{"raft", server, c.endpoint(c.node("two", now)).Client(ProtocolRaft, "one"), false},
		{"node", server, c.endpoint(c.node("two", now)).Client(ProtocolNode, "one"), false},
		{"any node", server, c.endpoint(c.node("two", now)).Client(ProtocolNode, ""), false},
		{"another node answers", server, c.endpoint(c.node("two", now)).Client(ProtocolNode, "three"), true},
		{"client of another cluster", server, foreign.endpoint(foreign.node("two", now)).Client(ProtocolNode, ""), true},
		{"foreign certificate, our CA", server, c.endpoint(foreign.node("two", now)).Client(ProtocolNode, ""), true},
		{"expired client", server, c.endpoint(c.node("two", now.Add(-2*NodeValidity))).Client(ProtocolNode, ""), true},
		{"expired server", c.endpoint(c.node("one", now.Add(-2*NodeValidity))), c.endpoint(c.node("two", now)).Client(ProtocolNode, ""), true},
		{"server certificate as client", server, c.endpoint(Pair(api, apiKey, c.authority.Certificate)).Client(ProtocolNode, ""), true},
		{"server certificate as server", c.endpoint(Pair(api, apiKey, c.authority.Certificate)), c.endpoint(c.node("two", now)).Client(ProtocolNode, ""), true},
		{"no certificate", server, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProtocolRaft}}, true},
		{"no protocol", server, c.endpoint(c.node("two", now)).Client("", ""), true},
		{"joining under a node's protocol", server, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{ProtocolJoin, ProtocolRaft}}, true},
		{"TLS 1.2", server, old(c.endpoint(c.node("two", now)).Client(ProtocolNode, "")), true},
		{"server not welcome", server, strict.Client(ProtocolNode, ""), true},
		{"client not welcome", &strict, c.endpoint(c.node("two", now)).Client(ProtocolNode, ""), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			state, clientErr, serverErr := meet(t, test.server.Server(), test.client)
			if refused := clientErr != nil || serverErr != nil; refused != test.refused {
				t.Fatalf("client: %v, server: %v", clientErr, serverErr)
			}
			if test.refused {
				return
			}
			if peer, err := PeerOf(state); err != nil || peer != (Identity{Name: "two", Member: "m-two"}) {
				t.Errorf("the server sees %+v, %v", peer, err)
			}
		})
	}
}

func old(c *tls.Config) *tls.Config {
	c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	return c
}

func TestJoin(t *testing.T) {
	c, foreign := newCluster(t), newCluster(t)
	server := c.endpoint(c.node("one", now)).Server()
	clock := func() time.Time { return now }
	state, clientErr, serverErr := meet(t, server, JoinClient(Pin(c.authority.Certificate), clock))
	if clientErr != nil || serverErr != nil || state.NegotiatedProtocol != ProtocolJoin {
		t.Errorf("client: %v, server: %v, protocol %q", clientErr, serverErr, state.NegotiatedProtocol)
	}
	if _, err := PeerOf(state); !errors.Is(err, ErrNotNode) {
		t.Errorf("a joining node is taken for one: %v", err)
	}
	_, clientErr, _ = meet(t, server, JoinClient(Pin(foreign.authority.Certificate), clock))
	if !errors.Is(clientErr, ErrWrongAuthority) {
		t.Errorf("another cluster's pin: %v", clientErr)
	}
	// A server that shows the pinned CA's certificate beside a leaf of its own.
	impostor := foreign.node("one", now)
	impostor.Certificate = append(impostor.Certificate[:1], c.authority.Certificate.Raw)
	_, clientErr, _ = meet(t, foreign.endpoint(impostor).Server(), JoinClient(Pin(c.authority.Certificate), clock))
	if clientErr == nil {
		t.Error("a stolen CA certificate is enough")
	}
}

func TestIdentity(t *testing.T) {
	c := newCluster(t)
	leaf := c.node("node-1", now).Leaf
	if id, err := IdentityOf(leaf); err != nil || id != (Identity{Name: "node-1", Member: "m-node-1"}) {
		t.Errorf("%+v, %v", id, err)
	}
	if _, err := IdentityOf(c.authority.Certificate); !errors.Is(err, ErrNotNode) {
		t.Errorf("the CA is a node: %v", err)
	}
	for name, valid := range map[string]bool{
		"a": true, "node-1": true, "": false, "Node": false, "a.b": false, "a/b": false, "é": false,
		string(make([]byte, 64)): false,
	} {
		if ValidName(name) != valid {
			t.Errorf("ValidName(%q) = %t", name, !valid)
		}
	}
}

func TestFiles(t *testing.T) {
	c := newCluster(t)
	pair := c.node("n", now)
	key := pair.PrivateKey.(*ecdsa.PrivateKey)
	text, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := DecodeKey(text); err != nil || !again.Equal(key) {
		t.Errorf("the key does not survive: %v", err)
	}
	if again, err := DecodeCertificate(EncodeCertificate(pair.Leaf)); err != nil || !again.Equal(pair.Leaf) {
		t.Errorf("the certificate does not survive: %v", err)
	}
	if _, err := DecodeKey(EncodeCertificate(pair.Leaf)); err == nil {
		t.Error("a certificate is read as a key")
	}
	if _, err := DecodeCertificate(text); err == nil {
		t.Error("a key is read as a certificate")
	}
	if !Matches(pair.Leaf, key) || Matches(pair.Leaf, newKey(t)) {
		t.Error("Matches is wrong")
	}
}

// TestValidity: certificates verify with the standard library alone, the way any
// TLS client does it.
func TestValidity(t *testing.T) {
	c := newCluster(t)
	key := newKey(t)
	cert, err := c.authority.Server(key.Public(), []string{"kms.example.com", "127.0.0.1", "::1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.Certificate)
	for _, host := range []string{"kms.example.com", "127.0.0.1", "::1"} {
		for _, at := range []time.Time{now, now.Add(ServerValidity - time.Minute)} {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, DNSName: host}); err != nil {
				t.Errorf("%s at %v: %v", host, at, err)
			}
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(ServerValidity + time.Minute)}); err == nil {
		t.Error("an expired certificate verifies")
	}
}
