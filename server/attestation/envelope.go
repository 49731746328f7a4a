package attestation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrNoRecipient is returned when a document holds no public key to encrypt to.
var ErrNoRecipient = errors.New("attestation document has no public key")

// The object identifiers of an envelope.
func envelopedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3} } // RFC 5652 §6.1
func data() asn1.ObjectIdentifier          { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} } // RFC 5652 §4
func rsaesOAEP() asn1.ObjectIdentifier     { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7} } // RFC 8017 §A.2.1
func mgf1() asn1.ObjectIdentifier          { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8} } // RFC 8017 §A.2.1
func sha256ID() asn1.ObjectIdentifier      { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1} }
func aes256CBC() asn1.ObjectIdentifier     { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42} } // RFC 3565 §2.3

// Versions of EnvelopedData and of a recipient named by its subject key identifier
// (RFC 5652 §6.1, §6.2.1).
const version = 2

// Seal encrypts plaintext so that only the owner of the document's key can read
// it: a CMS EnvelopedData (RFC 5652 §6) whose key is under RSAES-OAEP with SHA-256
// and whose content is under AES-256-CBC, as the AWS KMS API answers
// CiphertextForRecipient.
//
// It is BER, not DER: AWS's own library for enclaves reads the outer levels only
// where their lengths are indefinite.
//
//	30 80                              ContentInfo
//	   06 09 …                         envelopedData
//	   a0 80 30 80                     EnvelopedData
//	      02 01 02                     version
//	      31 … 30 …                    the one recipient
//	      30 80                        EncryptedContentInfo
//	         06 09 …                   data
//	         30 …                      AES-256-CBC and its IV
//	         a0 80 04 … 00 00          the ciphertext
//	      00 00
//	   00 00 00 00
//	00 00
//
// CBC does not authenticate, here as at AWS: whoever can alter the answer on its
// way can alter what the enclave reads, and TLS to this node is what prevents it.
func (d *Document) Seal(plaintext []byte) ([]byte, error) {
	if d.Recipient == nil {
		return nil, ErrNoRecipient
	}
	secret := make([]byte, 32+aes.BlockSize)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails
	key, iv := secret[:32], secret[32:]
	recipient, err := recipientInfo(d.Recipient, key)
	if err != nil {
		return nil, err
	}
	ciphertext, err := encryptCBC(key, iv, plaintext)
	if err != nil {
		return nil, err
	}
	return assemble(recipient, iv, ciphertext)
}

// assemble writes the envelope.
func assemble(recipient, iv, ciphertext []byte) ([]byte, error) {
	head, err := encode(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(version)
		b.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(recipient) })
	})
	if err != nil {
		return nil, err
	}
	algorithm, err := encode(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(data())
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(aes256CBC())
			b.AddASN1OctetString(iv)
		})
	})
	if err != nil {
		return nil, err
	}
	content, err := encode(func(b *cryptobyte.Builder) { b.AddASN1OctetString(ciphertext) })
	if err != nil {
		return nil, err
	}
	kind, err := encode(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(envelopedData()) })
	if err != nil {
		return nil, err
	}
	encrypted := indefinite(sequence, algorithm, indefinite(content0, content))
	return indefinite(sequence, kind, indefinite(content0, indefinite(sequence, head, encrypted))), nil
}

func encode(add func(b *cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	add(&b)
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding an envelope: %w", err)
	}
	return out, nil
}

// Tags of elements whose length is indefinite: a constructed SEQUENCE and [0].
const sequence, content0 = 0x30, 0xa0

// indefinite encodes an element without its length (X.690 §8.1.3.6).
func indefinite(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
}

// recipientInfo is a KeyTransRecipientInfo. The recipient is named by the first 20
// bytes of the SHA-256 of its public key (RFC 7093 §2, method 1).
func recipientInfo(to *rsa.PublicKey, key []byte) ([]byte, error) {
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, key, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypting to the enclave: %w", err)
	}
	name := sha256.Sum256(x509.MarshalPKCS1PublicKey(to))
	return encode(func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(version)
			b.AddASN1(der.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(name[:20]) })
			b.AddASN1(der.SEQUENCE, addOAEP)
			b.AddASN1OctetString(encrypted)
		})
	})
}

// addOAEP adds RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 4055 §4.1).
func addOAEP(b *cryptobyte.Builder) {
	hash := func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(sha256ID())
			b.AddASN1NULL()
		})
	}
	b.AddASN1ObjectIdentifier(rsaesOAEP())
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), hash)
		b.AddASN1(der.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(mgf1())
				hash(b)
			})
		})
	})
}

// encryptCBC encrypts with AES-CBC, padded to whole blocks (RFC 5652 §6.3).
func encryptCBC(key, iv, plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypting to the enclave: %w", err)
	}
	padding := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, len(plaintext)+padding)
	for i := copy(out, plaintext); i < len(out); i++ {
		out[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out, nil
}
