package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/rpc"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// operation says what of hsm.Keys is asked of a peer. The numbers are for ever.
type operation uint8

const (
	opGenerateKey operation = 1
	opEncrypt     operation = 2
	opDecrypt     operation = 3
	opSign        operation = 4
	opRandom      operation = 5
	opImportKey   operation = 6
	opMAC         operation = 7
	opOpen        operation = 8
	opAgree       operation = 9
	opDecapsulate operation = 10
)

// String is the operation's name in figures.
func (o operation) String() string {
	switch o {
	case opGenerateKey:
		return "GenerateKey"
	case opEncrypt:
		return "Encrypt"
	case opDecrypt:
		return "Decrypt"
	case opSign:
		return "Sign"
	case opRandom:
		return "Random"
	case opImportKey:
		return "ImportKey"
	case opMAC:
		return "MAC"
	case opOpen:
		return "Open"
	case opAgree:
		return "Agree"
	case opDecapsulate:
		return "Decapsulate"
	}
	return "unknown"
}

// maxRandom bounds the random bytes of one call.
const maxRandom = 1 << 16

// work is one use of a partition. It travels between nodes only, mutually
// authenticated and encrypted: Data may be a client's plaintext.
type work struct {
	Op         operation      `cbor:"1,keyasint"`
	Generation hsm.Generation `cbor:"2,keyasint,omitempty"`
	Spec       hsm.KeySpec    `cbor:"3,keyasint,omitempty"`
	Key        hsm.WrappedKey `cbor:"4,keyasint,omitempty"`
	Data       []byte         `cbor:"5,keyasint,omitempty"` // plaintext, digest, message, ciphertext or public key
	AAD        []byte         `cbor:"6,keyasint,omitempty"`
	Sealed     hsm.Sealed     `cbor:"7,keyasint,omitempty"`
	Algorithm  string         `cbor:"8,keyasint,omitempty"`
	Count      int            `cbor:"9,keyasint,omitempty"` // random bytes
	Import     *hsm.Import    `cbor:"10,keyasint,omitempty"`
}

// product is what came of it.
type product struct {
	Key         hsm.WrappedKey  `cbor:"1,keyasint,omitempty"`
	Sealed      hsm.Sealed      `cbor:"2,keyasint,omitempty"`
	Data        []byte          `cbor:"3,keyasint,omitempty"` // plaintext, signature, secret or random bytes
	Fingerprint hsm.Fingerprint `cbor:"4,keyasint,omitempty"`
}

// tool is what of a partition work needs.
type tool interface {
	hsm.Keys
	Random(ctx context.Context, b []byte) error
}

// do does the work with a partition.
func (w *work) do(ctx context.Context, t tool) (p product, err error) {
	switch w.Op {
	case opGenerateKey:
		p.Key, err = t.GenerateKey(ctx, w.Generation, w.Spec)
	case opEncrypt:
		p.Sealed, err = t.Encrypt(ctx, w.Key, w.Data, w.AAD)
	case opDecrypt:
		p.Data, err = t.Decrypt(ctx, w.Key, w.Sealed, w.AAD)
	case opSign:
		p.Data, err = t.Sign(ctx, w.Key, hsm.SigningAlgorithm(w.Algorithm), w.Data)
	case opRandom:
		if w.Count < 0 || w.Count > maxRandom {
			return p, fmt.Errorf("%w: %d random bytes", hsm.ErrUnsupported, w.Count)
		}
		p.Data = make([]byte, w.Count)
		err = t.Random(ctx, p.Data)
	case opImportKey:
		if w.Import == nil {
			return p, fmt.Errorf("%w: an import of nothing", hsm.ErrUnsupported)
		}
		p.Key, p.Fingerprint, err = t.ImportKey(ctx, w.Generation, w.Spec, *w.Import)
	case opMAC:
		p.Data, err = t.MAC(ctx, w.Key, hsm.MACAlgorithm(w.Algorithm), w.Data)
	case opOpen:
		p.Data, err = t.Open(ctx, w.Key, hsm.EncryptionAlgorithm(w.Algorithm), w.Data)
	case opAgree:
		p.Data, err = t.Agree(ctx, w.Key, w.Data)
	case opDecapsulate:
		p.Data, err = t.Decapsulate(ctx, w.Key, w.Data)
	default:
		err = fmt.Errorf("%w: operation %d", hsm.ErrUnsupported, w.Op)
	}
	return p, err
}

// The codes of the errors that a partition answers with, on the wire for ever.
var workCodes = []struct {
	code rpc.Code
	err  error
}{
	{16, hsm.ErrUnavailable},
	{17, hsm.ErrTimeout},
	{18, hsm.ErrClosed},
	{19, hsm.ErrNoDomain},
	{20, hsm.ErrInvalidCiphertext},
	{21, hsm.ErrInvalidKey},
	{22, hsm.ErrUnsupported},
}

// takeWork does a peer's work with this node's own partition, never another's:
// work does not travel on.
func (n *Node) takeWork(ctx context.Context, _ pki.Identity, body []byte) ([]byte, error) {
	w := new(work)
	if err := fsm.Unmarshal(body, w); err != nil {
		return nil, fmt.Errorf("decoding HSM work: %w", err)
	}
	p, err := n.useOwn(ctx, w)
	if err == nil {
		return fsm.Marshal(&p)
	}
	for _, row := range workCodes {
		if errors.Is(err, row.err) {
			return nil, rpc.Errorf(row.code, "%v", err)
		}
	}
	return nil, err
}

// useOwn does work with this node's partition and notices when that is dead.
func (n *Node) useOwn(ctx context.Context, w *work) (product, error) {
	p, err := w.do(ctx, n.partition.Partition)
	if dead(err) && ctx.Err() == nil {
		if n.partition.set(err) {
			n.logger.Error("the HSM partition does not work", "error", err)
		}
	}
	return p, err
}

// dead says whether an error is the device's and not the work's.
func dead(err error) bool {
	return errors.Is(err, hsm.ErrUnavailable) || errors.Is(err, hsm.ErrTimeout)
}

// usePeer does work with a peer's partition.
func (n *Node) usePeer(ctx context.Context, name string, w *work) (product, error) {
	p, err := call[product](ctx, n.peers.client(peerKey{name: name}), methodHSM, w)
	if err == nil {
		return *p, nil
	}
	for _, row := range workCodes {
		if rpc.Refused(err, row.code) {
			return product{}, fmt.Errorf("%w (on %s: %w)", row.err, name, err)
		}
	}
	return product{}, fmt.Errorf("%w: asking %s: %w", hsm.ErrUnavailable, name, err)
}
