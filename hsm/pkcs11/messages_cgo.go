//go:build cgo && unix

package pkcs11

/*
#cgo linux LDFLAGS: -ldl
#cgo noescape cofre_crypt
#cgo nocallback cofre_crypt

#include <stdlib.h>
#include "module.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/cofre-kms/cofre/hsm"
)

// messages calls the module itself where secrets and what clients send go in or
// out. The C_Decrypt of miekg/pkcs11 does not free its buffer when the module
// answers an error, which lets whoever may send a wrong ciphertext take the
// node's memory; it leaves copies of what it passes on the C heap; and it crosses
// into C five times where once is enough.
type messages struct{ functions unsafe.Pointer }

func loadMessages(path string) (messages, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	functions := C.cofre_functions(name)
	if functions == nil {
		return messages{}, fmt.Errorf("loading PKCS#11 module %s: no function list: %w", path, hsm.ErrUnavailable)
	}
	return messages{functions: functions}, nil
}

func (m messages) EncryptBlock(s sessionHandle, key objectHandle, block [16]byte) (out [16]byte, err error) {
	_, err = m.crypt(false, s, key, nil, nil, block[:], out[:])
	return out, err
}

func (m messages) SealGCM(s sessionHandle, key objectHandle, nonce, plaintext, aad []byte) ([]byte, error) {
	out := make([]byte, len(plaintext)+hsm.TagSize)
	n, err := m.crypt(false, s, key, nonce, aad, plaintext, out)
	return out[:n], err
}

func (m messages) OpenGCM(s sessionHandle, key objectHandle, nonce, ciphertext, aad []byte) ([]byte, error) {
	out := make([]byte, len(ciphertext)) // as large as any module asks for
	n, err := m.crypt(true, s, key, nonce, aad, ciphertext, out)
	if err != nil {
		clear(out)
		return nil, err
	}
	return out[:n], nil
}

func (m messages) crypt(decrypt bool, s sessionHandle, key objectHandle, nonce, aad, in, out []byte) (n int, err error) {
	var direction, begun C.int
	names := [2]string{"C_EncryptInit", "C_Encrypt"}
	if decrypt {
		direction, names = 1, [2]string{beginDecryption, "C_Decrypt"}
	}
	length := C.ck_ulong(len(out))
	rv := C.cofre_crypt(m.functions, direction, C.ck_ulong(s), C.ck_ulong(key),
		pointer(nonce), C.ck_ulong(len(nonce)), pointer(aad), C.ck_ulong(len(aad)),
		pointer(in), C.ck_ulong(len(in)), pointer(out), &length, &begun)
	return written(names[begun], uint(rv), uint(length), out)
}

// written is the outcome of a call that wrote length bytes to out.
func written(function string, rv, length uint, out []byte) (int, error) {
	if rv != 0 {
		return 0, failure(function, uint(rv))
	}
	if length > uint(len(out)) {
		return 0, fmt.Errorf("%s: the module wrote %d bytes into %d: %w", function, length, len(out), hsm.ErrUnavailable)
	}
	return int(length), nil
}

// pointer answers a pointer to the first byte of b, to some byte where there is
// none: modules take NULL for a question of length.
func pointer(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return unsafe.Pointer(&[1]byte{})
	}
	return unsafe.Pointer(&b[0])
}
