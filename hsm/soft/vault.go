package soft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cofre-kms/cofre/hsm"
)

// vault is the plaintext of the partition file, in memory that is kept from
// swap and core dumps where the system allows it. It is immutable: a change
// makes a new one.
type vault struct {
	bytes   []byte
	objects []object // their values alias bytes
	release func()
}

// object is one thing that the partition keeps.
type object struct {
	kind       objectKind
	generation hsm.Generation // of a domain key; 0 otherwise
	value      []byte
}

type objectKind byte

const (
	objectSerial    objectKind = 1 // 8 random bytes
	objectIdentity  objectKind = 2 // PKCS#8, P-256
	objectTransport objectKind = 3 // PKCS#8, RSA-3072
	objectDomain    objectKind = 4 // 32 bytes
	objectNotary    objectKind = 5 // the seed of an Ed25519 key, 32 bytes
	objectMemory    objectKind = 6 // see hsm.Memory
)

// newVault copies the objects into a vault. Its bytes are the objects one after
// another, big-endian:
//
//	 0      1            5        7
//	┌──────┬────────────┬────────┬───────┐
//	│ kind │ generation │ length │ value │
//	└──────┴────────────┴────────┴───────┘
func newVault(objects []object) (*vault, error) {
	size := 0
	for _, o := range objects {
		size += objectHeader + len(o.value)
	}
	b, release := protectedMemory(size)
	out := b[:0]
	for _, o := range objects {
		out = append(out, byte(o.kind))
		out = binary.BigEndian.AppendUint32(out, uint32(o.generation))
		out = binary.BigEndian.AppendUint16(out, uint16(len(o.value)))
		out = append(out, o.value...)
	}
	return parseVault(b, release)
}

const objectHeader = 7

// parseVault reads the objects of b, which it owns from now on.
func parseVault(b []byte, release func()) (*vault, error) {
	v := &vault{bytes: b, release: release}
	for rest := b; len(rest) > 0; {
		if len(rest) < objectHeader {
			v.free()
			return nil, errors.New("partition file ends within an object")
		}
		o := object{kind: objectKind(rest[0]), generation: hsm.Generation(binary.BigEndian.Uint32(rest[1:]))}
		n := int(binary.BigEndian.Uint16(rest[5:]))
		rest = rest[objectHeader:]
		if n > len(rest) {
			v.free()
			return nil, errors.New("partition file ends within an object")
		}
		if o.kind < objectSerial || o.kind > objectMemory {
			v.free()
			return nil, fmt.Errorf("partition file holds an object of unknown kind %d", o.kind)
		}
		o.value, rest = rest[:n:n], rest[n:]
		v.objects = append(v.objects, o)
	}
	return v, nil
}

// find answers the value of an object, nil where there is none.
func (v *vault) find(kind objectKind, g hsm.Generation) []byte {
	for _, o := range v.objects {
		if o.kind == kind && o.generation == g {
			return o.value
		}
	}
	return nil
}

// with answers a new vault that holds an object, in place of one of its kind and
// generation where there is one.
func (v *vault) with(o object) (*vault, error) {
	others := slices.DeleteFunc(slices.Clone(v.objects), func(old object) bool {
		return old.kind == o.kind && old.generation == o.generation
	})
	return newVault(append(others, o))
}

// free wipes the vault; a nil vault is free.
func (v *vault) free() {
	if v != nil {
		clear(v.bytes)
		v.release()
		v.bytes, v.objects = nil, nil
	}
}
