package attestation

import (
	"crypto/ecdsa"
	"crypto/sha512"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

const (
	maxPayload    = 16384 // bytes
	signatureSize = 96    // r and s of P-384 (RFC 9053 §2.1)
	tagSign1      = 0xd2  // the head of CBOR tag 18 (RFC 9052 §4.2)
	algorithmES   = -35   // ES384 (RFC 9053 §2.1)
)

// message is a COSE_Sign1 (RFC 9052 §4.2), tagged or not:
//
//	[ protected: bstr .cbor {1: -35}, unprotected: {}, payload: bstr, signature: bstr ]
type message struct {
	_           struct{} `cbor:",toarray"`
	Protected   cbor.RawMessage
	Unprotected cbor.RawMessage
	Payload     cbor.RawMessage
	Signature   cbor.RawMessage

	protected, payload, signature []byte
}

func parseMessage(b []byte) (*message, error) {
	if len(b) > 0 && b[0] == tagSign1 {
		b = b[1:]
	}
	m := new(message)
	if err := strict.Unmarshal(b, m); err != nil {
		return nil, refuse("it is no COSE_Sign1 structure")
	}
	var unprotected map[any]cbor.RawMessage
	if kindOf(m.Unprotected) != kindMap || strict.Unmarshal(m.Unprotected, &unprotected) != nil || len(unprotected) != 0 {
		return nil, refuse("it has unprotected headers")
	}
	var ok [3]bool
	m.protected, ok[0] = bytesOf(m.Protected, 1, 16)
	m.payload, ok[1] = bytesOf(m.Payload, 1, maxPayload)
	m.signature, ok[2] = bytesOf(m.Signature, signatureSize, signatureSize)
	if ok != [3]bool{true, true, true} {
		return nil, refuse("a part of the COSE_Sign1 structure has the wrong type or length")
	}
	var headers map[int]int
	if err := strict.Unmarshal(m.protected, &headers); err != nil || len(headers) != 1 || headers[1] != algorithmES {
		return nil, refuse("its algorithm is not ES384")
	}
	return m, nil
}

// verify verifies the signature over Sig_structure (RFC 9052 §4.4). The protected
// headers are signed as the bytes that they came as.
func (m *message) verify(key *ecdsa.PublicKey) bool {
	signed, err := cbor.Marshal([]any{"Signature1", m.protected, []byte{}, m.payload})
	if err != nil {
		return false
	}
	digest := sha512.Sum384(signed)
	r := new(big.Int).SetBytes(m.signature[:signatureSize/2])
	s := new(big.Int).SetBytes(m.signature[signatureSize/2:])
	return ecdsa.Verify(key, digest[:], r, s)
}
