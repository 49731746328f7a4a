package soft

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/cache"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

// material is an unwrapped key, ready for use. It is immutable.
type material struct {
	// Of a SYMMETRIC_DEFAULT key. The epoch lives as long as the material is
	// cached: when it ends, the material is taken out and unwrapped again.
	block  cipher.Block
	subkey [xaes.BlockSize]byte
	epoch  *xaes.Epoch
	sealer cipher.AEAD // under the key derived for the epoch

	// Of a key of another spec.
	key *algorithm.Key
}

// aead is a key that was derived to open messages.
type aead struct{ cipher.AEAD }

// secretSize is the length in bytes of a SYMMETRIC_DEFAULT key.
const secretSize = 32

// newMaterial makes material of what was unwrapped.
func newMaterial(spec hsm.KeySpec, raw []byte) (*material, error) {
	if spec == hsm.SymmetricDefault {
		return newSecret(raw)
	}
	key, err := algorithm.Parse(spec, raw)
	if err != nil {
		return nil, err
	}
	return &material{key: key}, nil
}

func newSecret(raw []byte) (*material, error) {
	if len(raw) != secretSize {
		return nil, fmt.Errorf("a secret key of %d bytes: %w", len(raw), hsm.ErrInvalidKey)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("expanding an AES key: %w", err)
	}
	m := &material{block: block}
	var zero, l [xaes.BlockSize]byte
	block.Encrypt(l[:], zero[:])
	m.subkey = xaes.Subkey(l)

	var seed [xaes.SeedSize]byte
	_, _ = rand.Read(seed[:]) // never fails
	m.epoch = xaes.NewEpoch(seed)
	m.sealer, err = m.derive(m.epoch.Prefix())
	return m, err
}

// derive makes the AEAD of the messages whose nonce begins with prefix.
func (m *material) derive(prefix [xaes.PrefixSize]byte) (cipher.AEAD, error) {
	key := xaes.Input(m.subkey, prefix)
	defer clear(key[:])
	m.block.Encrypt(key[:xaes.BlockSize], key[:xaes.BlockSize])
	m.block.Encrypt(key[xaes.BlockSize:], key[xaes.BlockSize:])
	return newGCM(key[:])
}

// keyBuffer holds the cache key of most wrapped keys without allocating.
type keyBuffer [256]byte

// cacheKey appends what tells a wrapped key from all others to dst.
func cacheKey(dst []byte, key *hsm.WrappedKey) []byte {
	g := key.Generation
	dst = append(dst, byte(g>>24), byte(g>>16), byte(g>>8), byte(g), byte(len(key.Spec)))
	dst = append(dst, key.Spec...)
	return append(dst, key.Wrapped...)
}

// open answers the material of a wrapped key, held for the caller.
func (p *Partition) open(ctx context.Context, key *hsm.WrappedKey) (*cache.Entry[*material], error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	var buf keyBuffer
	id := cacheKey(buf[:0], key)
	if e := p.material.Get(id); e != nil {
		return e, nil
	}
	raw, err := p.unwrap(key.Generation, key.Wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	m, err := newMaterial(key.Spec, raw)
	if err != nil {
		return nil, err
	}
	e := p.material.Add(id, m)
	if p.closed.Load() { // Close may have emptied the cache before
		p.material.Remove(e)
	}
	return e, nil
}

// opener answers the AEAD that opens messages with the given nonce prefix.
func (p *Partition) opener(ctx context.Context, key *hsm.WrappedKey, prefix [xaes.PrefixSize]byte) (*cache.Entry[*aead], error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	var buf keyBuffer
	id := append(cacheKey(buf[:0], key), prefix[:]...)
	if e := p.derived.Get(id); e != nil {
		return e, nil
	}
	m, err := p.openSecret(ctx, key)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	a, err := m.Value.derive(prefix)
	if err != nil {
		return nil, err
	}
	e := p.derived.Add(id, &aead{a})
	if p.closed.Load() { // likewise
		p.derived.Remove(e)
	}
	return e, nil
}

// openSecret is open for keys that encrypt.
func (p *Partition) openSecret(ctx context.Context, key *hsm.WrappedKey) (*cache.Entry[*material], error) {
	if key.Spec != hsm.SymmetricDefault {
		return nil, fmt.Errorf("encrypting with key spec %q: %w", key.Spec, hsm.ErrUnsupported)
	}
	return p.open(ctx, key)
}

// use does one operation with a key that does not encrypt.
func (p *Partition) use(ctx context.Context, key *hsm.WrappedKey, do func(*algorithm.Key) ([]byte, error)) ([]byte, error) {
	if key.Spec == hsm.SymmetricDefault {
		return nil, fmt.Errorf("key spec %s does nothing but encrypt: %w", key.Spec, hsm.ErrUnsupported)
	}
	m, err := p.open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return do(m.Value.key)
}
