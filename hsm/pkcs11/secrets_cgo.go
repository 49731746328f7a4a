//go:build cgo && unix

package pkcs11

/*
#cgo noescape cofre_use
#cgo nocallback cofre_use
#cgo noescape cofre_value
#cgo nocallback cofre_value
#cgo noescape cofre_create
#cgo nocallback cofre_create

#include "module.h"
*/
import "C"

import (
	"bytes"
	"fmt"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

const (
	maxSignature  = 1024 // bytes; RSA-4096 has 512
	maxValue      = 8192 // bytes of a key that is read; ML-DSA-87 has less than 5000
	maxAttributes = 32   // of cofre_create
)

func (m messages) Sign(s sessionHandle, mech mechanism, key objectHandle, data []byte) ([]byte, error) {
	var out [maxSignature]byte
	n, err := m.use(false, s, mech, key, data, out[:])
	if err != nil {
		return nil, err
	}
	return bytes.Clone(out[:n]), nil
}

func (m messages) Decrypt(s sessionHandle, mech mechanism, key objectHandle, ciphertext []byte) ([]byte, error) {
	out := make([]byte, len(ciphertext)) // as large as any module asks for
	n, err := m.use(true, s, mech, key, ciphertext, out)
	if err != nil {
		clear(out)
		return nil, err
	}
	return out[:n], nil
}

func (m messages) use(decrypt bool, s sessionHandle, mech mechanism, key objectHandle, in, out []byte) (int, error) {
	var direction, begun C.int
	names := [2]string{"C_SignInit", "C_Sign"}
	if decrypt {
		direction, names = 1, [2]string{beginDecryption, "C_Decrypt"}
	}
	parameter, size := encodeParameter(mech)
	length := C.ck_ulong(len(out))
	rv := C.cofre_use(m.functions, direction, C.ck_ulong(s), C.ck_ulong(key),
		C.ck_ulong(mech.number), unsafe.Pointer(&parameter), size,
		pointer(in), C.ck_ulong(len(in)), pointer(out), &length, &begun)
	return written(names[begun], uint(rv), uint(length), out)
}

// encodeParameter answers a mechanism's parameter, and its length in bytes.
func encodeParameter(m mechanism) (p [5]C.ck_ulong, size C.ck_ulong) {
	const word = C.ck_ulong(unsafe.Sizeof(p[0]))
	switch {
	case m.number == p11.CKM_RSA_PKCS_PSS: // CK_RSA_PKCS_PSS_PARAMS, §2.1.9
		p[0], p[1], p[2] = C.ck_ulong(m.hash), C.ck_ulong(maskOf(m.hash)), C.ck_ulong(sizeOf(m.hash))
		return p, 3 * word
	case m.number == p11.CKM_RSA_PKCS_OAEP: // CK_RSA_PKCS_OAEP_PARAMS, §2.1.7; no label
		p[0], p[1], p[2] = C.ck_ulong(m.hash), C.ck_ulong(maskOf(m.hash)), p11.CKZ_DATA_SPECIFIED
		return p, 5 * word
	case m.prehash: // CK_EDDSA_PARAMS: phFlag is a byte; no context
		*(*byte)(unsafe.Pointer(&p[0])) = 1
		return p, 3 * word
	default:
		return p, 0
	}
}

func (m messages) Value(s sessionHandle, o objectHandle) ([]byte, error) {
	out := make([]byte, maxValue)
	length := C.ck_ulong(len(out))
	rv := C.cofre_value(m.functions, C.ck_ulong(s), C.ck_ulong(o), unsafe.Pointer(&out[0]), &length)
	n, err := written("C_GetAttributeValue", uint(rv), uint(length), out)
	if err != nil {
		clear(out)
		return nil, err
	}
	return out[:n], nil
}

func (m messages) Create(s sessionHandle, template []attribute) (objectHandle, error) {
	var kinds, lengths [maxAttributes]C.ck_ulong
	values := make([]byte, maxValue+8*maxAttributes)
	defer clear(values)
	end := 0
	for i, a := range template {
		value := p11.NewAttribute(a.kind, a.value).Value
		if i == maxAttributes || end+len(value)+7 > len(values) {
			return 0, fmt.Errorf("C_CreateObject of more than %d bytes: %w", maxValue, hsm.ErrUnsupported)
		}
		kinds[i], lengths[i] = C.ck_ulong(a.kind), C.ck_ulong(len(value))
		end += (copy(values[end:], value) + 7) / 8 * 8
	}
	var object C.ck_ulong
	rv := C.cofre_create(m.functions, C.ck_ulong(s), C.ck_ulong(len(template)), &kinds[0], &lengths[0],
		(*C.uchar)(pointer(values)), &object)
	if rv != 0 {
		return 0, failure("C_CreateObject", uint(rv))
	}
	return objectHandle(object), nil
}
