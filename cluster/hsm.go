package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// HSM is the node's partition as services see it: while the device does not
// work, a healthy peer's does the work. All partitions of a cluster hold the same
// domain keys, so it makes no difference to the result. It is safe for concurrent
// use.
type HSM struct{ node *Node }

// HSM answers the partition for services to use.
func (n *Node) HSM() *HSM { return &HSM{node: n} }

// peerTimeout bounds work at one peer, so that there is time for the next.
const peerTimeout = 3 * time.Second

// Info describes this node's partition.
func (h *HSM) Info() hsm.Info { return h.node.partition.Info() }

// GenerateKey implements hsm.Keys.
func (h *HSM) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	p, err := h.do(ctx, &work{Op: opGenerateKey, Generation: g, Spec: spec})
	return p.Key, err
}

// Encrypt implements hsm.Keys.
func (h *HSM) Encrypt(ctx context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	p, err := h.do(ctx, &work{Op: opEncrypt, Key: key, Data: plaintext, AAD: aad})
	return p.Sealed, err
}

// Decrypt implements hsm.Keys.
func (h *HSM) Decrypt(ctx context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opDecrypt, Key: key, Sealed: sealed, AAD: aad})
	return p.Data, err
}

// Sign implements hsm.Keys.
func (h *HSM) Sign(ctx context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opSign, Key: key, Algorithm: string(alg), Data: digest})
	return p.Data, err
}

// ImportKey implements hsm.Keys.
func (h *HSM) ImportKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	p, err := h.do(ctx, &work{Op: opImportKey, Generation: g, Spec: spec, Import: &in})
	return p.Key, p.Fingerprint, err
}

// MAC implements hsm.Keys.
func (h *HSM) MAC(ctx context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opMAC, Key: key, Algorithm: string(alg), Data: message})
	return p.Data, err
}

// Open implements hsm.Keys.
func (h *HSM) Open(ctx context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opOpen, Key: key, Algorithm: string(alg), Data: ciphertext})
	return p.Data, err
}

// Agree implements hsm.Keys.
func (h *HSM) Agree(ctx context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opAgree, Key: key, Data: peer})
	return p.Data, err
}

// Decapsulate implements hsm.Keys.
func (h *HSM) Decapsulate(ctx context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	p, err := h.do(ctx, &work{Op: opDecapsulate, Key: key, Data: ciphertext})
	return p.Data, err
}

// Random fills b from a partition's random number generator.
func (h *HSM) Random(ctx context.Context, b []byte) error {
	p, err := h.do(ctx, &work{Op: opRandom, Count: len(b)})
	if err == nil {
		copy(b, p.Data)
	}
	return err
}

// do does work here, or elsewhere where this node's device is dead. While it is
// known to be, nobody waits for it to fail again.
func (h *HSM) do(ctx context.Context, w *work) (product, error) {
	n := h.node
	broken := n.partition.check()
	if broken == nil {
		p, err := n.useOwn(ctx, w)
		n.metrics.worked(w.Op, "own", err)
		if !dead(err) {
			return p, err
		}
		broken = err
	}
	for _, name := range n.helpers() {
		p, err := h.askPeer(ctx, name, w)
		n.metrics.worked(w.Op, "peer", err)
		if !dead(err) {
			return p, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return product{}, broken
}

func (h *HSM) askPeer(ctx context.Context, name string, w *work) (product, error) {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	return h.node.usePeer(ctx, name, w)
}

// helpers are the other members, the leader first.
func (n *Node) helpers() []string {
	view, _ := n.leadership.current()
	var names []string
	for _, server := range n.others() {
		if name := string(server.ID); name == view.name {
			names = slices.Insert(names, 0, name)
		} else {
			names = append(names, name)
		}
	}
	return names
}
