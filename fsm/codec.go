package fsm

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// codec is CBOR in core deterministic encoding (RFC 8949 §4.2.1). Unknown
// integer keys are ignored, so an older release reads a newer one's records.
var codec = newCodec()

type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

func newCodec() cborCodec {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(fmt.Sprintf("fsm: CBOR encoding options: %v", err)) // constants, checked by every test
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  16,
		MaxArrayElements: 1 << 20,
		MaxMapPairs:      1 << 16,
	}.DecMode()
	if err != nil {
		panic(fmt.Sprintf("fsm: CBOR decoding options: %v", err))
	}
	return cborCodec{enc: enc, dec: dec}
}

// Marshal encodes a record or command.
func Marshal(v any) ([]byte, error) { return codec.enc.Marshal(v) }

// Unmarshal decodes a record or command.
func Unmarshal(b []byte, v any) error { return codec.dec.Unmarshal(b, v) }
