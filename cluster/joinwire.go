package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// A connection of the join protocol carries one request and one answer, each a
// CBOR item that ends where its direction of the connection does.
const (
	maxJoinMessage = 64 << 10
	joinTimeout    = 30 * time.Second
)

// joinRequest is what a joining node sends.
type joinRequest struct {
	Token     string                    `cbor:"1,keyasint"` // its ID
	Secret    []byte                    `cbor:"2,keyasint"`
	Name      string                    `cbor:"3,keyasint"`
	Key       []byte                    `cbor:"4,keyasint"` // DER SubjectPublicKeyInfo for the certificate
	Identity  []byte                    `cbor:"5,keyasint"` // DER SubjectPublicKeyInfo of the identity key
	Serial    string                    `cbor:"6,keyasint"` // of the partition's token
	Transport []byte                    `cbor:"7,keyasint"` // DER SubjectPublicKeyInfo of the transport key
	Domains   map[hsm.Generation]string `cbor:"8,keyasint"` // check values of domain keys it holds
	Signature []byte                    `cbor:"9,keyasint"` // of the rest but the levels, by the identity key
	// Level and Lowest are the feature levels that the node's release knows. They are
	// not signed: releases that know of none verify what they know.
	Level  fsm.Level `cbor:"10,keyasint,omitempty"`
	Lowest fsm.Level `cbor:"11,keyasint,omitempty"`
}

// joinAnswer is what it gets.
type joinAnswer struct {
	Problem     joinProblem               `cbor:"1,keyasint,omitempty"`
	Text        string                    `cbor:"2,keyasint,omitempty"` // of the problem
	Member      string                    `cbor:"3,keyasint,omitempty"`
	Certificate []byte                    `cbor:"4,keyasint,omitempty"` // DER
	Authority   []byte                    `cbor:"5,keyasint,omitempty"` // DER
	Domains     map[hsm.Generation][]byte `cbor:"6,keyasint,omitempty"` // wrapped to the transport key
	Peers       []string                  `cbor:"7,keyasint,omitempty"`
}

// joinProblem says why a join was refused.
type joinProblem uint8

const (
	joinFailed  joinProblem = 1 // the cluster could not; it may later
	joinToken   joinProblem = 2
	joinName    joinProblem = 3
	joinForeign joinProblem = 4
	joinRelease joinProblem = 5
)

// joinProblems pairs what is refused for good with its error.
var joinProblems = map[joinProblem]error{
	joinToken:   ErrToken,
	joinName:    ErrNameTaken,
	joinForeign: ErrForeignDomain,
	joinRelease: ErrRelease,
}

// refusal makes the answer for an error.
func refusal(err error) *joinAnswer {
	for problem, sentinel := range joinProblems {
		if errors.Is(err, sentinel) {
			return &joinAnswer{Problem: problem, Text: err.Error()}
		}
	}
	return &joinAnswer{Problem: joinFailed, Text: err.Error()}
}

// refused is the error in an answer.
func (a *joinAnswer) refused() error {
	if a.Problem == 0 {
		return nil
	}
	if sentinel := joinProblems[a.Problem]; sentinel != nil {
		return fmt.Errorf("%w (%s)", sentinel, a.Text)
	}
	return errors.New(a.Text)
}

// digest is what the identity key signs.
func (r joinRequest) digest() ([]byte, error) {
	r.Signature, r.Level, r.Lowest = nil, 0, 0
	b, err := fsm.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encoding a join request: %w", err)
	}
	sum := sha256.Sum256(append([]byte("cofre join request\x00"), b...))
	return sum[:], nil
}

// sign shows that the partition holds the identity key.
func (r *joinRequest) sign(identity crypto.Signer) error {
	digest, err := r.digest()
	if err != nil {
		return err
	}
	if r.Signature, err = identity.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
		return fmt.Errorf("signing a join request: %w", err)
	}
	return nil
}

// verify checks the signature.
func (r *joinRequest) verify() error {
	digest, err := r.digest()
	if err != nil {
		return err
	}
	key, err := x509.ParsePKIXPublicKey(r.Identity)
	if err != nil {
		return fmt.Errorf("reading a joining node's identity key: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(public, digest, r.Signature) {
		return errors.New("cluster: a join request's signature is wrong")
	}
	return nil
}

// sendJoin writes a message and ends this direction of the connection.
func sendJoin(conn net.Conn, message any) error {
	b, err := fsm.Marshal(message)
	if err != nil {
		return fmt.Errorf("encoding a join message: %w", err)
	}
	if _, err := conn.Write(b); err != nil {
		return fmt.Errorf("sending a join message: %w", err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// receiveJoin reads a message to the end of its direction.
func receiveJoin(conn net.Conn, message any) error {
	b, err := io.ReadAll(io.LimitReader(conn, maxJoinMessage+1))
	if err != nil {
		return fmt.Errorf("receiving a join message: %w", err)
	}
	if len(b) > maxJoinMessage {
		return errors.New("cluster: a join message is too large")
	}
	if err := fsm.Unmarshal(b, message); err != nil {
		return fmt.Errorf("decoding a join message: %w", err)
	}
	return nil
}
