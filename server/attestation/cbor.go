package attestation

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// strict is CBOR without what a document has no use for: tags, indefinite
// lengths, keys that are there twice, nesting.
var strict = newStrict()

func newStrict() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 8, MaxArrayElements: 64, MaxMapPairs: 64,
	}.DecMode()
	if err != nil {
		panic(fmt.Sprintf("attestation: CBOR decoding options: %v", err)) // constants, checked by every test
	}
	return mode
}

// kind is a major type of CBOR (RFC 8949 §3.1).
type kind byte

const (
	kindUint  kind = 0
	kindBytes kind = 2
	kindArray kind = 4
	kindMap   kind = 5
	kindNone  kind = 0xff
)

func kindOf(raw []byte) kind {
	if len(raw) == 0 {
		return kindNone
	}
	return kind(raw[0] >> 5)
}

// null is the encoding of null. The specification wants no member to be null, and
// hypervisors send it for optional ones that an enclave left out.
const null = 0xf6

func absent(raw cbor.RawMessage) bool { return len(raw) == 0 || len(raw) == 1 && raw[0] == null }

// bytesOf reads a byte string whose length is in bounds.
func bytesOf(raw cbor.RawMessage, least, most int) (b []byte, ok bool) {
	if kindOf(raw) != kindBytes || strict.Unmarshal(raw, &b) != nil {
		return nil, false
	}
	return b, least <= len(b) && len(b) <= most
}
