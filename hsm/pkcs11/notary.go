package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

var opMemory = operation{name: "memory"}

// notary is the key for the ledger's checkpoints.
type notary struct {
	p      *Partition
	public ed25519.PublicKey
}

// Notary is the node's key for the ledger's checkpoints.
func (p *Partition) Notary() crypto.Signer {
	if voice := p.world.Load().voice; voice != nil {
		return notary{p, voice}
	}
	return nil
}

func (n notary) Public() crypto.PublicKey { return n.public }

func (n notary) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 {
		return nil, fmt.Errorf("signing with the notary key: not the message itself: %w", hsm.ErrUnsupported)
	}
	return n.p.sign(context.Background(), signingOf(hsm.ED25519SHA512), message, func(s *session) (objectHandle, func(), error) {
		return s.w.notary, func() {}, nil
	})
}

// findNotary looks the notary key up; it answers 0 where there is none.
func (s *session) findNotary() (objectHandle, ed25519.PublicKey, error) {
	private, public, err := s.findPair(labelNotary, keyTypeEdwards)
	if err != nil || private == 0 {
		return 0, nil, err
	}
	point, err := s.readPoint(public)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the notary key: %w", err)
	}
	if len(point) != ed25519.PublicKeySize {
		return 0, nil, fmt.Errorf("the notary key is a point of %d bytes: %w", len(point), hsm.ErrUnavailable)
	}
	return private, point, nil
}

// furnishNotary makes the notary key where there is none and the token, by its
// list of mechanisms, has Ed25519. Only Open does.
func (s *session) furnishNotary(list []uint) error {
	w := s.p.world.Load()
	if w.notary != 0 || !slices.Contains(list, edwardsKeyPairGen) || !slices.Contains(list, signEdDSA) {
		return nil
	}
	curve := attribute{p11.CKA_EC_PARAMS, recipeOf(hsm.ECCNistEdwards25519).parameter}
	_, _, err := s.GenerateKeyPair(s.handle, edwardsKeyPairGen,
		append(publicKey(keyTypeEdwards, true, p11.CKA_VERIFY), curve, attribute{p11.CKA_LABEL, labelNotary}),
		append(privateKey(keyTypeEdwards, true, false, p11.CKA_SIGN), attribute{p11.CKA_LABEL, labelNotary}))
	switch {
	case err != nil && judge(err) == unclear && s.prove() == nil: // other Edwards curves than this one
		s.p.log.Warn("the token makes no Ed25519 key: this node will not sign the ledger's checkpoints", "error", err)
		return nil
	case err != nil:
		return err
	}
	next := *w
	if next.notary, next.voice, err = s.findNotary(); err != nil {
		return err
	}
	if next.notary == 0 {
		return fmt.Errorf("the key is not there after it was made: %w", hsm.ErrUnavailable)
	}
	s.p.world.Store(&next)
	return nil
}

// Remember keeps a value in the token as a data object.
func (p *Partition) Remember(ctx context.Context, value []byte) error {
	if len(value) > hsm.MaxMemory {
		return fmt.Errorf("remembering %d bytes: %w", len(value), hsm.ErrUnsupported)
	}
	own := bytes.Clone(value) // the caller may be gone before the call is
	return p.do(ctx, opMemory, func(ctx context.Context) error {
		_, err := call(ctx, p, opMemory, func(s *session) (none, error) { return none{}, s.remember(own) }, nil)
		return err
	})
}

// remember makes the new object before it destroys the old ones. A crash between
// leaves more than one, of which recall takes the greatest.
func (s *session) remember(value []byte) error {
	s.p.provision.Lock()
	defer s.p.provision.Unlock()
	old, err := s.memories()
	if err != nil {
		return err
	}
	if _, err := s.Create(s.handle, append(memory(), attribute{p11.CKA_PRIVATE, true}, attribute{p11.CKA_VALUE, value})); err != nil {
		return err
	}
	for _, o := range old {
		if err := s.Destroy(s.handle, o); err != nil {
			return err
		}
	}
	return nil
}

// memory is the template of the data object (PKCS #11 v2.40 §4.5).
func memory() []attribute {
	return []attribute{{p11.CKA_CLASS, uint(p11.CKO_DATA)}, {p11.CKA_TOKEN, true}, {p11.CKA_LABEL, labelMemory}}
}

func (s *session) memories() ([]objectHandle, error) { return s.Find(s.handle, memory()) }

// Recall answers the value.
func (p *Partition) Recall(ctx context.Context) (value []byte, err error) {
	err = p.do(ctx, opMemory, func(ctx context.Context) (err error) {
		value, err = call(ctx, p, opMemory, (*session).recall, nil)
		return err
	})
	return value, err
}

func (s *session) recall() ([]byte, error) {
	list, err := s.memories()
	if err != nil {
		return nil, err
	}
	var newest []byte
	for _, o := range list {
		value, err := s.Attribute(s.handle, o, p11.CKA_VALUE)
		if err != nil {
			return nil, err
		}
		if bytes.Compare(value, newest) > 0 {
			newest = value
		}
	}
	return newest, nil
}
