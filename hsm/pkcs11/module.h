// What we call of a module's function list ourselves; see type messages.

#include <dlfcn.h>
#include <stdlib.h>
#include <stddef.h>

typedef unsigned long ck_ulong; // CK_ULONG and CK_RV

// PKCS #11 v2.40 §9 (CK_MECHANISM, CK_ATTRIBUTE), §2.12.4 of the mechanisms (CK_GCM_PARAMS).
struct ck_mechanism { ck_ulong mechanism; void *parameter; ck_ulong length; };
struct ck_attribute { ck_ulong kind; void *value; ck_ulong length; };
struct ck_gcm_params { void *iv; ck_ulong ivLen; ck_ulong ivBits; void *aad; ck_ulong aadLen; ck_ulong tagBits; };

// CK_FUNCTION_LIST: a CK_VERSION, then the functions in the order of pkcs11f.h.
struct ck_function_list { unsigned char version[2]; void *functions[68]; };
enum { CREATE_OBJECT = 20, GET_ATTRIBUTE_VALUE = 24 };
enum { ENCRYPT_INIT = 29, DECRYPT_INIT = 33, SIGN_INIT = 42 }; // each followed by what it begins
enum { CKM_AES_ECB = 0x1081, CKM_AES_GCM = 0x1087, CKA_VALUE = 0x11 };

typedef ck_ulong (*get_list)(struct ck_function_list **);
typedef ck_ulong (*init_function)(ck_ulong, struct ck_mechanism *, ck_ulong);
typedef ck_ulong (*crypt_function)(ck_ulong, void *, ck_ulong, void *, ck_ulong *);
typedef ck_ulong (*object_function)(ck_ulong, struct ck_attribute *, ck_ulong, ck_ulong *);
typedef ck_ulong (*attribute_function)(ck_ulong, ck_ulong, struct ck_attribute *, ck_ulong);

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

// run begins an operation and does it in one go. It writes 1 to begun when the
// first of the two functions succeeded.
static ck_ulong run(void *list, int begin, ck_ulong session, struct ck_mechanism *mechanism, ck_ulong key,
		void *in, ck_ulong inLen, void *out, ck_ulong *outLen, int *begun) {
	void **functions = ((struct ck_function_list *) list)->functions;
	ck_ulong rv = ((init_function) functions[begin])(session, mechanism, key);
	if (rv != 0) {
		return rv;
	}
	*begun = 1;
	return ((crypt_function) functions[begin + 1])(session, in, inLen, out, outLen);
}

// cofre_crypt encrypts or decrypts with AES, by GCM where there is a nonce.
static ck_ulong cofre_crypt(void *list, int decrypt, ck_ulong session, ck_ulong key,
		void *nonce, ck_ulong nonceLen, void *aad, ck_ulong aadLen,
		void *in, ck_ulong inLen, void *out, ck_ulong *outLen, int *begun) {
	struct ck_gcm_params gcm = { nonce, nonceLen, nonceLen * 8, aadLen ? aad : NULL, aadLen, 128 };
	struct ck_mechanism mechanism = { CKM_AES_ECB, NULL, 0 };
	if (nonceLen > 0) {
		mechanism.mechanism = CKM_AES_GCM;
		mechanism.parameter = &gcm;
		mechanism.length = sizeof(gcm);
	}
	return run(list, decrypt ? DECRYPT_INIT : ENCRYPT_INIT, session, &mechanism, key, in, inLen, out, outLen, begun);
}

// cofre_use signs or decrypts by a mechanism whose parameter holds no pointers.
static ck_ulong cofre_use(void *list, int decrypt, ck_ulong session, ck_ulong key,
		ck_ulong number, void *parameter, ck_ulong parameterLen,
		void *in, ck_ulong inLen, void *out, ck_ulong *outLen, int *begun) {
	struct ck_mechanism mechanism = { number, parameterLen ? parameter : NULL, parameterLen };
	return run(list, decrypt ? DECRYPT_INIT : SIGN_INIT, session, &mechanism, key, in, inLen, out, outLen, begun);
}

// cofre_value reads CKA_VALUE.
static ck_ulong cofre_value(void *list, ck_ulong session, ck_ulong object, void *out, ck_ulong *outLen) {
	void **functions = ((struct ck_function_list *) list)->functions;
	struct ck_attribute value = { CKA_VALUE, out, *outLen };
	ck_ulong rv = ((attribute_function) functions[GET_ATTRIBUTE_VALUE])(session, object, &value, 1);
	*outLen = value.length;
	return rv;
}

// cofre_create creates an object of at most 32 attributes, whose values stand one
// after the other, each at a multiple of 8.
static ck_ulong cofre_create(void *list, ck_ulong session, ck_ulong count, ck_ulong *kinds, ck_ulong *lengths,
		unsigned char *values, ck_ulong *object) {
	void **functions = ((struct ck_function_list *) list)->functions;
	struct ck_attribute attributes[32];
	for (ck_ulong i = 0; i < count; i++) {
		attributes[i].kind = kinds[i];
		attributes[i].value = values;
		attributes[i].length = lengths[i];
		values += (lengths[i] + 7) / 8 * 8;
	}
	return ((object_function) functions[CREATE_OBJECT])(session, attributes, count, object);
}
