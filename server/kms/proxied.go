package kms

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
)

// The other side of external key stores: keys held here as the external keys of AWS
// KMS. Its requests are operations like any other: authorized by the same policies,
// as the actions kms:DescribeKey, kms:Encrypt and kms:Decrypt, and recorded under
// these names, with what AWS KMS says of its own caller.

// Proxied is a request of AWS KMS about a key. Exactly one of its parts is set.
type Proxied struct {
	KeyID    string // of the store's account and Region
	Metadata *xks.MetadataRequest
	Encrypt  *xks.EncryptRequest
	Decrypt  *xks.DecryptRequest
}

// ProxyOperations are what an external key store proxy is made of: by the last part of
// the path. Their requests are *Proxied, their answers those of the XKS proxy API.
func (s *Service) ProxyOperations() map[string]*call.Operation {
	operation := func(name string, run func(context.Context, *fsm.Txn, *call.Call, *Proxied) (any, error)) *call.Operation {
		return &call.Operation{Name: name, ReadOnly: true, Run: func(ctx context.Context, tx *fsm.Txn, c *call.Call, request any) (any, error) {
			return run(ctx, tx, c, request.(*Proxied))
		}}
	}
	return map[string]*call.Operation{
		"metadata": operation("DescribeKey", s.proxiedMetadata),
		"encrypt":  operation("Encrypt", s.proxiedEncrypt),
		"decrypt":  operation("Decrypt", s.proxiedDecrypt),
	}
}

// proxiedData is the additionalEventData of a request of AWS KMS: what it says of the
// call that it makes it for.
type proxiedData struct {
	XksProxyRequest proxiedRequest `json:"xksProxyRequest"`
}

type proxiedRequest struct {
	AWSPrincipalARN string `json:"awsPrincipalArn,omitempty"`
	KMSKeyARN       string `json:"kmsKeyArn,omitempty"`
	KMSOperation    string `json:"kmsOperation"`
	KMSRequestID    string `json:"kmsRequestId"`
	KMSViaService   string `json:"kmsViaService,omitempty"`
}

// proxiedKey reads the key of a request. Only symmetric encryption keys that are used
// in the partition can be external keys.
func (s *Service) proxiedKey(tx *fsm.Txn, c *call.Call, id, algorithm string, m xks.RequestMetadata) (key, error) {
	c.Record.Parameters = &useParameters{KeyID: id, EncryptionAlgorithm: algorithm}
	c.Record.Additional = &proxiedData{proxiedRequest{m.AWSPrincipalARN, m.KMSKeyARN, m.KMSOperation, m.KMSRequestID, m.KMSViaService}}
	k, err := s.keyFor(tx, c, access{action: c.Operation, algorithm: algorithm}, id, byID)
	if err != nil {
		return k, err
	}
	if k.store != nil {
		return k, originRefused(k)
	}
	return k, nil
}

func (s *Service) proxiedMetadata(_ context.Context, tx *fsm.Txn, c *call.Call, req *Proxied) (any, error) {
	k, err := s.proxiedKey(tx, c, req.KeyID, "", req.Metadata.RequestMetadata)
	if err != nil {
		return nil, err
	}
	m := &xks.KeyMetadata{KeySpec: string(k.Spec), KeyUsage: []string{}, KeyStatus: xks.StatusDisabled}
	if k.Spec == hsm.SymmetricDefault {
		m.KeySpec, m.KeyUsage = xks.AES256, []string{xks.CanSeal, xks.CanOpen}
	}
	if k.State == state.Enabled {
		m.KeyStatus = xks.StatusEnabled
	}
	return m, nil
}

// proxiedEncrypt computes the integrity value, then opens what it sealed, in this
// order (appendix C of the specification).
func (s *Service) proxiedEncrypt(ctx context.Context, tx *fsm.Txn, c *call.Call, req *Proxied) (any, error) {
	in := req.Encrypt
	k, err := s.proxiedKey(tx, c, req.KeyID, symmetricDefault, in.RequestMetadata)
	if err != nil {
		return nil, err
	}
	if err := suits(c, k, encryptDecrypt, symmetricDefault); err != nil {
		return nil, err
	}
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	aad := proxiedAAD(k.Key, material.ID, in.AAD)
	sealed, err := s.cfg.HSM.Encrypt(ctx, material.Wrapped, in.Plaintext, aad)
	if err != nil {
		return nil, partitionFault("encrypting", err)
	}
	resp := &xks.EncryptResponse{Ciphertext: outward(material.ID, sealed)}
	if in.IntegrityAlgorithm != "" {
		resp.IntegrityValue = resp.Ciphertext.IntegrityValue(in.AAD)
	}
	opened, err := s.cfg.HSM.Decrypt(ctx, material.Wrapped, inward(&resp.Ciphertext, sealed.Derivation), aad)
	if err != nil {
		return nil, partitionFault("opening what was just encrypted", err)
	}
	defer clear(opened)
	if !bytes.Equal(opened, in.Plaintext) {
		return nil, errors.New("a ciphertext opens to another plaintext")
	}
	return resp, mark(tx, c, k)
}

func (s *Service) proxiedDecrypt(ctx context.Context, tx *fsm.Txn, c *call.Call, req *Proxied) (any, error) {
	in := req.Decrypt
	k, err := s.proxiedKey(tx, c, req.KeyID, symmetricDefault, in.RequestMetadata)
	if err != nil {
		return nil, err
	}
	if err := suits(c, k, encryptDecrypt, symmetricDefault); err != nil {
		return nil, err
	}
	material, err := proxiedMaterial(tx, k, &in.Ciphertext)
	if err != nil {
		return nil, err
	}
	sealed := inward(&in.Ciphertext, s.cfg.HSM.Info().Derivation)
	plaintext, err := s.cfg.HSM.Decrypt(ctx, material.Wrapped, sealed, proxiedAAD(k.Key, material.ID, in.AAD))
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidCiphertext()
	}
	if err != nil {
		return nil, partitionFault("decrypting", err)
	}
	return &xks.DecryptResponse{Plaintext: plaintext}, mark(tx, c, k)
}

// A ciphertext of ours is XAES-256-GCM, whose nonce is longer than the 12 bytes that
// AWS KMS keeps as the IV, and AWS KMS does not know our materials. Both go into the
// proxy's metadata, of which there can be 20 bytes. GCM authenticates the nonce, and
// the aad the material.
//
//	version, 1 byte | nonce, the first 12 of 24 bytes | material id, the first 7 of 32 bytes
const (
	proxiedVersion  = 1
	nonceOutside    = 12
	materialOutside = 7
)

// outward is a sealed text as AWS KMS keeps it.
func outward(materialID string, sealed hsm.Sealed) xks.Ciphertext {
	id, _ := hex.DecodeString(materialID[:2*materialOutside]) // a material's id is in hex
	at := len(sealed.Body) - hsm.TagSize
	metadata := append([]byte{proxiedVersion}, sealed.Nonce[:nonceOutside]...)
	return xks.Ciphertext{
		Ciphertext: sealed.Body[:at], Tag: sealed.Body[at:], IV: bytes.Clone(sealed.Nonce[nonceOutside:]), Metadata: append(metadata, id...),
	}
}

// inward is the opposite of outward.
func inward(c *xks.Ciphertext, derivation hsm.Derivation) hsm.Sealed {
	sealed := hsm.Sealed{Derivation: derivation, Body: append(bytes.Clone(c.Ciphertext), c.Tag...)}
	copy(sealed.Nonce[copy(sealed.Nonce[:], c.Metadata[1:1+nonceOutside]):], c.IV)
	return sealed
}

// proxiedMaterial answers the material that made a ciphertext.
func proxiedMaterial(tx *fsm.Txn, k key, c *xks.Ciphertext) (*state.KeyMaterial, error) {
	if len(c.Metadata) != 1+nonceOutside+materialOutside || c.Metadata[0] != proxiedVersion ||
		len(c.IV) != hsm.NonceSize-nonceOutside || len(c.Tag) != hsm.TagSize {
		return nil, invalidCiphertext()
	}
	all, err := materials(tx.View(), k.Key)
	if err != nil {
		return nil, err
	}
	prefix := hex.EncodeToString(c.Metadata[1+nonceOutside:])
	for _, m := range all {
		if m.Imported() && strings.HasPrefix(m.ID, prefix) {
			return m, nil
		}
	}
	return nil, invalidCiphertext()
}

// proxiedAAD binds a ciphertext to its key and material. No aad of the KMS API begins
// like it: neither side opens what the other sealed.
func proxiedAAD(k *state.Key, materialID string, aad []byte) []byte {
	return append([]byte("cofre xks proxy v1\x00"+k.ARN()+"\x00"+materialID+"\x00"), aad...)
}

// ProxyHealth does real work with the partition, under a key that is nobody's KMS key
// ("GetHealthStatus" in the specification: the check should be deep).
func (s *Service) ProxyHealth(ctx context.Context, tx *fsm.Txn) error {
	secrets, err := secretsKey(tx)
	if err != nil {
		return err
	}
	aad := []byte("cofre xks health v1")
	sealed, err := s.cfg.HSM.Encrypt(ctx, secrets, aad, aad)
	if err != nil {
		return err
	}
	_, err = s.cfg.HSM.Decrypt(ctx, secrets, sealed, aad)
	return err
}
