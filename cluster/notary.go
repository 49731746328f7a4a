package cluster

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/ledger"
)

// notary signs checkpoints of the ledger by the key in this node's partition. It
// never signs one that is not an extension of the largest that it has signed
// (C2SP tlog-cosignature): that one it keeps in the data directory before it
// lets a signature out, and now and then in the partition, which a copy of the
// directory does not bring back.
type notary struct {
	node   string
	key    crypto.Signer
	memory hsm.Memory
	file   string
	now    func() time.Time

	mu      sync.Mutex
	signed  vow       // the largest
	kept    time.Time // when the partition was told last
	problem error     // why it does not sign
}

// vow is a checkpoint that the node has signed. Epochs of the ledger come before
// sizes.
type vow struct {
	epoch uint32
	ledger.Checkpoint
}

// keepInterval is how often the partition is told at most: tokens are slow to
// write, and some wear out.
const keepInterval = time.Minute

// openNotary reads what this node has signed. A node that does not know it does
// not sign, and works otherwise.
func (n *Node) openNotary(ctx context.Context) error {
	key := n.cfg.Partition.Notary()
	if key == nil {
		n.logger.Warn("the partition has no Ed25519: this node will not sign the ledger's checkpoints")
		return nil
	}
	n.notary = &notary{
		node: n.who.Name, key: key, memory: n.cfg.Partition, file: n.home.checkpointFile(), now: time.Now,
	}
	n.notary.problem = n.notary.load(ctx)
	if err := n.notary.problem; err != nil {
		n.logger.Error("this node will not sign the ledger's checkpoints", "error", err)
	}
	return nil
}

// load takes the larger of what the data directory and the partition remember.
func (y *notary) load(ctx context.Context) error {
	text, err := os.ReadFile(y.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the checkpoint file: %w", err)
	}
	onDisk, err := y.parse(text)
	if err != nil {
		return fmt.Errorf("reading the checkpoint file %s: %w", y.file, err)
	}
	value, err := y.memory.Recall(ctx)
	if err != nil {
		return fmt.Errorf("recalling the largest checkpoint: %w", err)
	}
	inToken, err := y.parse(value)
	if err != nil {
		return fmt.Errorf("recalling the largest checkpoint: %w", err)
	}
	y.signed = onDisk
	if onDisk.before(inToken) {
		y.signed = inToken
	}
	return nil
}

func (v vow) before(other vow) bool {
	return v.epoch < other.epoch || v.epoch == other.epoch && v.Size < other.Size
}

// marshal encodes a vow and the note that the node signed, by which damage shows:
// the epoch in four bytes and the size in eight, big-endian, so that a larger
// vow is the greater value, and the note.
func (v vow) marshal(note []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, v.epoch)
	return append(binary.BigEndian.AppendUint64(b, uint64(v.Size)), note...)
}

const vowHeader = 4 + 8

// parse reads what marshal wrote, of this node. Nothing is the zero vow.
func (y *notary) parse(b []byte) (vow, error) {
	if len(b) == 0 {
		return vow{}, nil
	}
	if len(b) < vowHeader {
		return vow{}, fmt.Errorf("%w: %d bytes are no checkpoint", ErrDamaged, len(b))
	}
	note := b[vowHeader:]
	origin, _, _ := strings.Cut(string(note), "\n")
	public := y.public()
	keys, err := ledger.ParseKeys(strings.NewReader(
		ledger.LogKey(origin, public) + "\n" + ledger.CosignerKey(origin, y.node, public)))
	if err != nil {
		return vow{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c, err := keys.Open(note)
	if err != nil {
		return vow{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	v := vow{binary.BigEndian.Uint32(b), c}
	if binary.BigEndian.Uint64(b[4:]) != uint64(c.Size) || !strings.HasSuffix(origin, epochName(v.epoch)) {
		return vow{}, fmt.Errorf("%w: two sizes or epochs of one checkpoint", ErrDamaged)
	}
	return v, nil
}

func (y *notary) public() ed25519.PublicKey { return y.key.Public().(ed25519.PublicKey) }

// sign signs a checkpoint that this node's own tree, hashes, agrees with.
func (y *notary) sign(ctx context.Context, v vow, hashes tlog.HashReader) ([]byte, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.problem != nil && !errors.Is(y.problem, ErrFork) {
		return nil, y.problem
	}
	err := y.extends(v, hashes)
	if err == nil || errors.Is(err, ErrFork) {
		y.problem = err // any other says nothing of the ledger: the next call tries again
	}
	if err != nil {
		return nil, err
	}
	if v.before(y.signed) {
		return nil, fmt.Errorf("cluster: this node has signed a checkpoint of %d records already", y.signed.Size)
	}
	note, err := ledger.Sign(v.Checkpoint, y.node, y.key, y.now())
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	if err := y.keep(ctx, v, note); err != nil {
		return nil, err
	}
	return note, nil
}

// extends is nil where a checkpoint is a prefix or an extension of the largest
// that the node has signed.
func (y *notary) extends(v vow, hashes tlog.HashReader) error {
	old := y.signed
	if v.epoch < old.epoch {
		return fmt.Errorf("%w: epoch %d, after epoch %d", ErrFork, v.epoch, old.epoch)
	}
	if v.epoch > old.epoch || old.Size == 0 || v.Size < old.Size {
		return nil
	}
	root, err := tlog.TreeHash(old.Size, hashes)
	if err != nil {
		return fmt.Errorf("computing a root of the ledger: %w", err)
	}
	if root != old.Root || v.Origin != old.Origin {
		return fmt.Errorf("%w: at %d records it signed the root %v of %s, and the ledger has %v of %s",
			ErrFork, old.Size, old.Root, old.Origin, root, v.Origin)
	}
	return nil
}

// keep remembers what is about to be signed.
func (y *notary) keep(ctx context.Context, v vow, note []byte) error {
	if !y.signed.before(v) {
		return nil
	}
	value := v.marshal(note)
	if err := durable.WriteFile(y.file, value, 0o600); err != nil {
		return err
	}
	y.signed = v
	// A signature that does not get out after this is no harm.
	if now := y.now(); now.Sub(y.kept) >= keepInterval {
		if err := y.memory.Remember(ctx, value); err != nil {
			return fmt.Errorf("remembering a checkpoint: %w", err)
		}
		y.kept = now
	}
	return nil
}

// state is the size of the largest checkpoint that was signed, and why no other
// will be.
func (y *notary) state() (int64, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.signed.Size, y.problem
}

// cosigning asks a member to sign a checkpoint.
type cosigning struct {
	Index  uint64    `cbor:"1,keyasint"` // its state has the checkpoint's records by then
	Epoch  uint32    `cbor:"2,keyasint"`
	Origin string    `cbor:"3,keyasint"`
	Size   int64     `cbor:"4,keyasint"`
	Root   tlog.Hash `cbor:"5,keyasint"`
}

// cosigned is the checkpoint with the member's signatures.
type cosigned struct {
	Note []byte `cbor:"1,keyasint"`
}

// cosign signs a checkpoint for the leader, where this replica has the same
// records, computed from its own.
func (n *Node) cosign(ctx context.Context, _ pki.Identity, q *cosigning) (*cosigned, error) {
	if n.notary == nil {
		return nil, errors.New("cluster: this node's partition has no key for checkpoints")
	}
	if err := n.progress.wait(ctx, n.fate.ended, q.Index); err != nil {
		return nil, err
	}
	epoch, origin, err := n.ledgerName()
	if err != nil {
		return nil, err
	}
	if q.Epoch != epoch || q.Origin != origin {
		return nil, fmt.Errorf("cluster: the checkpoint is of %s, this node's ledger is %s", q.Origin, origin)
	}
	if size := n.store.Status().LedgerSize; q.Size > size {
		return nil, fmt.Errorf("cluster: the checkpoint has %d records, this node's ledger has %d", q.Size, size)
	}
	root, err := tlog.TreeHash(q.Size, n.store)
	if err != nil {
		return nil, fmt.Errorf("computing a root of the ledger: %w", err)
	}
	if root != q.Root {
		return nil, fmt.Errorf("%w: at %d records the checkpoint has root %v, this node's ledger %v", ErrFork, q.Size, q.Root, root)
	}
	note, err := n.notary.sign(ctx, vow{epoch, ledger.Checkpoint{Origin: origin, Size: q.Size, Root: root}}, n.store)
	if err != nil {
		if errors.Is(err, ErrFork) {
			n.logger.Error("will not sign a checkpoint", "error", err)
		}
		return nil, err
	}
	return &cosigned{Note: note}, nil
}
