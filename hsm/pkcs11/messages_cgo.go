//go:build cgo && unix

package pkcs11

/*
#cgo linux LDFLAGS: -ldl
#cgo noescape cofre_crypt
#cgo nocallback cofre_crypt

#include <dlfcn.h>
#include <stdlib.h>
#include <stddef.h>

typedef unsigned long ck_ulong; // CK_ULONG and CK_RV

// PKCS #11 v2.40 §9 (CK_MECHANISM), §2.12.4 of the mechanisms (CK_GCM_PARAMS).
struct ck_mechanism { ck_ulong mechanism; void *parameter; ck_ulong length; };
struct ck_gcm_params { void *iv; ck_ulong ivLen; ck_ulong ivBits; void *aad; ck_ulong aadLen; ck_ulong tagBits; };

// CK_FUNCTION_LIST: a CK_VERSION, then the functions in the order of pkcs11f.h.
struct ck_function_list { unsigned char version[2]; void *functions[68]; };
enum { ENCRYPT_INIT = 29, ENCRYPT = 30, DECRYPT_INIT = 33, DECRYPT = 34 };
enum { CKM_AES_ECB = 0x1081, CKM_AES_GCM = 0x1087 };

typedef ck_ulong (*get_list)(struct ck_function_list **);
typedef ck_ulong (*init_function)(ck_ulong, struct ck_mechanism *, ck_ulong);
typedef ck_ulong (*crypt_function)(ck_ulong, void *, ck_ulong, void *, ck_ulong *);

// cofre_functions answers the function list of a module, NULL where there is none.
static void *cofre_functions(const char *path) {
	void *handle = dlopen(path, RTLD_NOW);
	if (handle == NULL) {
		return NULL;
	}
	get_list get = (get_list) dlsym(handle, "C_GetFunctionList");
	struct ck_function_list *list = NULL;
	if (get == NULL || get(&list) != 0) {
		return NULL;
	}
	return list;
}

// cofre_crypt encrypts or decrypts a message, by GCM where there is a nonce. It
// writes 1 to begun when the first of the two functions succeeded.
static ck_ulong cofre_crypt(void *list, int decrypt, ck_ulong session, ck_ulong key,
		void *nonce, ck_ulong nonceLen, void *aad, ck_ulong aadLen,
		void *in, ck_ulong inLen, void *out, ck_ulong *outLen, int *begun) {
	void **functions = ((struct ck_function_list *) list)->functions;
	struct ck_gcm_params gcm = { nonce, nonceLen, nonceLen * 8, aadLen ? aad : NULL, aadLen, 128 };
	struct ck_mechanism mechanism = { CKM_AES_ECB, NULL, 0 };
	if (nonceLen > 0) {
		mechanism.mechanism = CKM_AES_GCM;
		mechanism.parameter = &gcm;
		mechanism.length = sizeof(gcm);
	}
	ck_ulong rv = ((init_function) functions[decrypt ? DECRYPT_INIT : ENCRYPT_INIT])(session, &mechanism, key);
	if (rv != 0) {
		return rv;
	}
	*begun = 1;
	return ((crypt_function) functions[decrypt ? DECRYPT : ENCRYPT])(session, in, inLen, out, outLen);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/cofre-kms/cofre/hsm"
)

// messages encrypts messages by calling the module itself. The C_Decrypt of
// miekg/pkcs11 does not free its buffer when the module answers an error, which
// lets whoever may send a wrong ciphertext take the node's memory; and it
// crosses into C five times where once is enough.
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
		direction, names = 1, [2]string{"C_DecryptInit", "C_Decrypt"}
	}
	length := C.ck_ulong(len(out))
	rv := C.cofre_crypt(m.functions, direction, C.ck_ulong(s), C.ck_ulong(key),
		pointer(nonce), C.ck_ulong(len(nonce)), pointer(aad), C.ck_ulong(len(aad)),
		pointer(in), C.ck_ulong(len(in)), pointer(out), &length, &begun)
	if rv != 0 {
		return 0, failure(names[begun], uint(rv))
	}
	if int(length) > len(out) {
		return 0, fmt.Errorf("%s: the module wrote %d bytes into %d: %w", names[1], length, len(out), hsm.ErrUnavailable)
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
