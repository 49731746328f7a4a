package pkcs11

import p11 "github.com/miekg/pkcs11"

const (
	secretSize        = 32             // bytes of an AES-256 key
	wrappedSecretSize = secretSize + 8 // RFC 5649 §3
)

// wrappedSize is the length in bytes of n wrapped bytes (RFC 5649 §3).
func wrappedSize(n int) int { return (n+7)/8*8 + 8 }

// usages are what a key may be for. Everything that is not allowed is forbidden:
// tokens differ in their defaults.
var (
	secretUsages  = []uint{p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE, p11.CKA_SIGN, p11.CKA_VERIFY}
	privateUsages = []uint{p11.CKA_SIGN, p11.CKA_DECRYPT, p11.CKA_UNWRAP, p11.CKA_DERIVE}
	publicUsages  = []uint{p11.CKA_VERIFY, p11.CKA_ENCRYPT, p11.CKA_WRAP}
)

// secretKey is the template of an AES key whose value nobody reads. Extractable
// means that it can be wrapped.
func secretKey(token, extractable bool, usage ...uint) []attribute {
	return secretOf(p11.CKK_AES, token, extractable, usage...)
}

// secretOf is the template of a secret key whose value nobody reads.
func secretOf(keyType uint, token, extractable bool, usage ...uint) []attribute {
	return append([]attribute{
		{p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)}, {p11.CKA_KEY_TYPE, keyType},
		{p11.CKA_TOKEN, token}, {p11.CKA_PRIVATE, true},
		{p11.CKA_SENSITIVE, true}, {p11.CKA_EXTRACTABLE, extractable},
	}, usages(secretUsages, usage)...)
}

// readable is the template of a session object whose value we read: of what
// leaves the token by the API's own answer, or is used outside of it.
func readable() []attribute {
	return append([]attribute{
		{p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)}, {p11.CKA_KEY_TYPE, uint(p11.CKK_GENERIC_SECRET)},
		{p11.CKA_TOKEN, false}, {p11.CKA_PRIVATE, true},
		{p11.CKA_SENSITIVE, false}, {p11.CKA_EXTRACTABLE, true},
	}, usages(secretUsages, nil)...)
}

// privateKey is the template of a private key whose value nobody reads.
func privateKey(keyType uint, token, extractable bool, usage ...uint) []attribute {
	return append([]attribute{
		{p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)}, {p11.CKA_KEY_TYPE, keyType},
		{p11.CKA_TOKEN, token}, {p11.CKA_PRIVATE, true},
		{p11.CKA_SENSITIVE, true}, {p11.CKA_EXTRACTABLE, extractable},
	}, usages(privateUsages, usage)...)
}

func publicKey(keyType uint, token bool, usage ...uint) []attribute {
	return append([]attribute{
		{p11.CKA_CLASS, uint(p11.CKO_PUBLIC_KEY)}, {p11.CKA_KEY_TYPE, keyType},
		{p11.CKA_TOKEN, token}, {p11.CKA_PRIVATE, false},
	}, usages(publicUsages, usage)...)
}

func usages(all, allowed []uint) []attribute {
	var out []attribute
	for _, u := range all {
		is := false
		for _, a := range allowed {
			is = is || a == u
		}
		out = append(out, attribute{u, is})
	}
	return out
}
