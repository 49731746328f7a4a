package soft

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP's hash; hsm.Domain.ExportDomain says why
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
	"github.com/cofre-kms/cofre/hsm/wipe"
)

// domainKey is a domain key, ready for use.
type domainKey struct {
	block cipher.Block
	check string // key check value
}

func newDomainKey(raw []byte) (*domainKey, error) {
	if len(raw) != secretSize {
		return nil, fmt.Errorf("a domain key of %d bytes: %w", len(raw), hsm.ErrInvalidKey)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("expanding a domain key: %w", err)
	}
	var zero, l [aes.BlockSize]byte
	block.Encrypt(l[:], zero[:])
	return &domainKey{block: block, check: fmt.Sprintf("%X", l[:3])}, nil
}

// domains expands the domain keys in the vault.
func (v *vault) domains() (map[hsm.Generation]*domainKey, error) {
	out := make(map[hsm.Generation]*domainKey)
	for _, o := range v.objects {
		if o.kind != objectDomain {
			continue
		}
		k, err := newDomainKey(o.value)
		if err != nil {
			return nil, err
		}
		out[o.generation] = k
	}
	return out, nil
}

func wipeDomains(domains map[hsm.Generation]*domainKey) {
	for _, d := range domains {
		wipe.Value(d.block)
	}
}

// Check wraps and unwraps a key under the newest domain key.
func (p *Partition) Check(ctx context.Context) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	var newest hsm.Generation
	for g := range p.domains {
		newest = max(newest, g)
	}
	d, err := p.domain(newest)
	if err != nil {
		return fmt.Errorf("checking the partition: %w", err)
	}
	want := make([]byte, secretSize)
	_, _ = rand.Read(want) // never fails
	wrapped, err := kwp.Wrap(d.block, want)
	if err != nil {
		return fmt.Errorf("checking the partition: %w: %w", hsm.ErrUnavailable, err)
	}
	got, err := kwp.Unwrap(d.block, wrapped)
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("checking the partition: what was wrapped does not unwrap: %w", hsm.ErrUnavailable)
	}
	return nil
}

// Generations lists the domain keys.
func (p *Partition) Generations(ctx context.Context) (map[hsm.Generation]string, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make(map[hsm.Generation]string, len(p.domains))
	for g, d := range p.domains {
		out[g] = d.check
	}
	return out, nil
}

// CreateDomain makes a domain key.
func (p *Partition) CreateDomain(ctx context.Context, g hsm.Generation) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	raw := make([]byte, secretSize)
	defer clear(raw)
	_, _ = rand.Read(raw) // never fails
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.domains[g] != nil {
		return fmt.Errorf("creating domain key %d: %w", g, hsm.ErrExists)
	}
	return p.store(object{kind: objectDomain, generation: g, value: raw})
}

// TransportKey answers the public transport key.
func (p *Partition) TransportKey(ctx context.Context) ([]byte, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := p.transport()
	if err != nil {
		return nil, err
	}
	if key == nil {
		if key, err = p.createTransport(); err != nil {
			return nil, err
		}
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encoding the transport key: %w", err)
	}
	return der, nil
}

// ExportDomain wraps a domain key to another partition's transport key.
func (p *Partition) ExportDomain(ctx context.Context, g hsm.Generation, transport []byte) ([]byte, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	public, err := hsm.ParseTransportKey(transport)
	if err != nil {
		return nil, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, err := p.domain(g); err != nil {
		return nil, err
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, p.vault.find(objectDomain, g), nil)
	if err != nil {
		return nil, fmt.Errorf("wrapping domain key %d: %w", g, err)
	}
	return wrapped, nil
}

// ImportDomain unwraps a domain key and stores it.
func (p *Partition) ImportDomain(ctx context.Context, g hsm.Generation, wrapped []byte) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := p.transport()
	if err != nil {
		return err
	}
	if key == nil {
		return fmt.Errorf("importing domain key %d: the partition has no transport key: %w", g, hsm.ErrInvalidKey)
	}
	raw, err := rsa.DecryptOAEP(sha1.New(), nil, key, wrapped, nil)
	if err != nil || len(raw) != secretSize {
		clear(raw)
		return fmt.Errorf("importing domain key %d: %w", g, hsm.ErrInvalidKey)
	}
	defer clear(raw)
	if p.domains[g] != nil {
		if subtle.ConstantTimeCompare(raw, p.vault.find(objectDomain, g)) == 1 {
			return nil
		}
		return fmt.Errorf("importing domain key %d: another key has this number: %w", g, hsm.ErrExists)
	}
	return p.store(object{kind: objectDomain, generation: g, value: raw})
}

// transport reads the transport key, nil where there is none. It needs mu.
func (p *Partition) transport() (*rsa.PrivateKey, error) {
	if p.closed.Load() {
		return nil, hsm.ErrClosed
	}
	der := p.vault.find(objectTransport, 0)
	if der == nil {
		return nil, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the transport key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("reading the transport key: not an RSA key")
	}
	return key, nil
}

func (p *Partition) createTransport() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, hsm.TransportBits)
	if err != nil {
		return nil, fmt.Errorf("generating the transport key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the transport key: %w", err)
	}
	defer clear(der)
	return key, p.store(object{kind: objectTransport, value: der})
}

// store puts an object into the file and, once that is durable, into the partition.
// It needs mu. After an error the file may have the object, and the partition
// has not: nothing was wrapped under it, and the next change overwrites it.
func (p *Partition) store(o object) error {
	if p.closed.Load() {
		return hsm.ErrClosed
	}
	v, err := p.vault.with(o)
	if err != nil {
		return err
	}
	if err := writeFile(p.path, p.seal, v.bytes); err != nil {
		v.free()
		return fmt.Errorf("storing in the partition file: %w: %w", hsm.ErrUnavailable, err)
	}
	return p.adopt(v)
}
