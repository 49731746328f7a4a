package kms

import (
	"encoding/binary"

	"github.com/cofre-kms/cofre/server/shape"
)

// encryptionContext is the authenticated, recorded, non-secret data of a
// symmetric encryption: sorted by the bytes of its keys, each key once.
type encryptionContext []shape.Pair

// maxEncryptionContext bounds the keys and values of an encryption context
// together, in bytes: a record holds it whole.
const maxEncryptionContext = 8192

// check refuses a context that is too large, and one where the algorithm, which
// may be left out, authenticates none.
func (e encryptionContext) check(algorithm string) error {
	if len(e) > 0 && orDefault(algorithm) != symmetricDefault {
		return invalid("EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.")
	}
	size := 0
	for _, p := range e {
		size += len(p.Key) + len(p.Value)
	}
	if size > maxEncryptionContext {
		return invalid("The encryption context must not be larger than %d bytes.", maxEncryptionContext)
	}
	return nil
}

// appendCanonical appends the one encoding of the context that is authenticated.
// All numbers are 32 bits, big-endian; no two contexts have the same encoding.
//
//	number of pairs
//	for each pair, in the order of the keys' bytes:
//	    length of the key   | key   (UTF-8)
//	    length of the value | value (UTF-8)
func (e encryptionContext) appendCanonical(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(e)))
	for _, p := range e {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.Key)))
		b = append(b, p.Key...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.Value)))
		b = append(b, p.Value...)
	}
	return b
}
