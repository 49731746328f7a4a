package kms

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// The simple shapes of the API model (version 2014-11-01) under the model's
// names. A test holds every request against the published model.

const minKeyID, maxKeyID = 1, 2048

func keyIDType() shape.String { return shape.String{Min: minKeyID, Max: maxKeyID} }

func aliasNameType() shape.String {
	return shape.String{Min: 1, Max: 256, Pattern: &shape.Pattern{
		Expr: "^[a-zA-Z0-9:/_-]+$", Match: some(func(r rune) bool { return word(r) || r == ':' || r == '/' || r == '-' }),
	}}
}

func descriptionType() shape.String { return shape.String{Max: 8192} }

func policyType() shape.String {
	return shape.String{Min: 1, Max: 131072, Pattern: &shape.Pattern{
		Expr:  `[\u0009\u000A\u000D\u0020-\u00FF]+`,
		Match: some(func(r rune) bool { return r == '\t' || r == '\n' || r == '\r' || latin1(r) }),
	}}
}

func policyNameType() shape.String {
	return shape.String{Min: 1, Max: 128, Pattern: &shape.Pattern{Expr: `[\w]+`, Match: some(word)}}
}

func markerType() shape.String {
	return shape.String{Min: 1, Max: 1024, Pattern: &shape.Pattern{Expr: `[\u0020-\u00FF]*`, Match: every(latin1)}}
}

func limitType() shape.Integer { return shape.Integer{Min: 1, Max: 1000} }

func pendingWindowInDaysType() shape.Integer { return shape.Integer{Min: 1, Max: 365} }

func rotationPeriodInDaysType() shape.Integer { return shape.Integer{Min: 90, Max: 2560} }

func includeKeyMaterialType() shape.String {
	return shape.String{Enum: []string{allKeyMaterial, "ROTATIONS_ONLY"}}
}

func regionType() shape.String {
	return shape.String{Min: 1, Max: 32, Pattern: &shape.Pattern{Expr: `^([a-z]+-){2,3}\d+$`, Match: regionName}}
}

func numberOfBytesType() shape.Integer { return shape.Integer{Min: 1, Max: 1024} }

func plaintextType() shape.Blob { return shape.Blob{Min: 1, Max: 4096} }

func ciphertextType() shape.Blob { return shape.Blob{Min: 1, Max: 6144} }

func grantTokenList() shape.List { return shape.List{Max: 10} }

func grantTokenType() shape.String { return shape.String{Min: 1, Max: 8192} }

func grantIDType() shape.String { return shape.String{Min: 1, Max: 128} }

func grantNameType() shape.String {
	return shape.String{Min: 1, Max: 256, Pattern: &shape.Pattern{
		Expr: "^[a-zA-Z0-9:/_-]+$", Match: some(func(r rune) bool { return word(r) || r == ':' || r == '/' || r == '-' }),
	}}
}

func grantOperationType() shape.String { return shape.String{Enum: grantOperations()} }

func principalIDType() shape.String {
	return shape.String{Min: 1, Max: 256, Pattern: &shape.Pattern{
		Expr: `^[\w+=,.@:/-]+$`, Match: some(func(r rune) bool { return word(r) || strings.ContainsRune("+=,.@:/-", r) }),
	}}
}

// servicePrincipalType and sourceArnType are of members that the Go SDK has and
// botocore's model does not have yet. Their bounds are those of the like.
func servicePrincipalType() shape.String { return shape.String{Min: 1, Max: 256} }

func sourceArnType() shape.String { return shape.String{Min: 1, Max: 2048} }

func tagKeyType() shape.String { return shape.String{Min: 1, Max: 128} }

func tagValueType() shape.String { return shape.String{Max: 256} }

func customKeyStoreIDType() shape.String { return shape.String{Min: 1, Max: 64} }

func xksKeyIDType() shape.String {
	return shape.String{Min: 1, Max: 128, Pattern: &shape.Pattern{
		Expr: "^[a-zA-Z0-9-_.]+$", Match: some(func(r rune) bool { return word(r) || r == '-' || r == '.' }),
	}}
}

func customKeyStoreNameType() shape.String { return shape.String{Min: 1, Max: 256} }

func customKeyStoreType() shape.String {
	return shape.String{Enum: []string{state.CloudHSM, state.ExternalKeyStore}}
}

func cloudHsmClusterIDType() shape.String {
	return shape.String{Min: 19, Max: 24, Pattern: &shape.Pattern{Expr: "cluster-[2-7a-zA-Z]{11,16}", Match: clusterID}}
}

func trustAnchorCertificateType() shape.String { return shape.String{Min: 1, Max: 5000} }

func keyStorePasswordType() shape.String { return shape.String{Min: 7, Max: 32, Sensitive: true} }

func xksProxyURIEndpointType() shape.String {
	return shape.String{Min: 10, Max: 128, Pattern: &shape.Pattern{Expr: "^https://[a-zA-Z0-9.-]+$", Match: httpsHost}}
}

func xksProxyURIPathType() shape.String {
	return shape.String{Min: 10, Max: 128, Pattern: &shape.Pattern{
		Expr: `^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$`, Match: proxyPath,
	}}
}

func xksProxyVPCEndpointServiceNameType() shape.String {
	return shape.String{Min: 20, Max: 64, Pattern: &shape.Pattern{
		Expr: `^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$`, Match: endpointService,
	}}
}

func accountIDType() shape.String {
	digits := some(func(r rune) bool { return '0' <= r && r <= '9' })
	return shape.String{Min: 12, Max: 12, Pattern: &shape.Pattern{
		Expr: "[0-9]{12}", Match: func(s string) bool { return len(s) == 12 && digits(s) },
	}}
}

func xksProxyAccessKeyIDType() shape.String {
	return shape.String{Min: 20, Max: 30, Sensitive: true, Pattern: &shape.Pattern{
		Expr: "^[A-Z2-7]+$", Match: some(func(r rune) bool { return 'A' <= r && r <= 'Z' || '2' <= r && r <= '7' }),
	}}
}

func xksProxySecretType() shape.String {
	return shape.String{Min: 43, Max: 64, Sensitive: true, Pattern: &shape.Pattern{
		Expr: `^[a-zA-Z0-9\/+=]+$`, Match: some(func(r rune) bool { return word(r) && r != '_' || strings.ContainsRune("/+=", r) }),
	}}
}

func xksProxyConnectivityType() shape.String {
	return shape.String{Enum: []string{state.PublicEndpoint, state.VPCEndpointService}}
}

func keyUsageType() shape.String {
	return shape.String{Enum: []string{
		signVerify, encryptDecrypt, generateVerifyMac, keyAgreement, encapsulateDecapsulate,
	}}
}

func keySpecType() shape.String {
	return shape.String{Enum: append(customerMasterKeySpec().Enum,
		"ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024")}
}

func customerMasterKeySpec() shape.String {
	return shape.String{Enum: []string{
		"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
		symmetricDefault, "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2",
	}}
}

func originType() shape.String {
	return shape.String{Enum: []string{state.OriginKMS, state.OriginExternal, "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"}}
}

func encryptionAlgorithmSpec() shape.String {
	return shape.String{Enum: []string{symmetricDefault, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}}
}

func dataKeySpec() shape.String { return shape.String{Enum: []string{"AES_256", "AES_128"}} }

func algorithmSpec() shape.String {
	return shape.String{Enum: []string{
		wrapPKCS1, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
	}}
}

func wrappingKeySpec() shape.String {
	return shape.String{Enum: []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"}}
}

func expirationModelType() shape.String {
	return shape.String{Enum: []string{expires, doesNotExpire}}
}

func importTypeType() shape.String {
	return shape.String{Enum: []string{newKeyMaterial, "EXISTING_KEY_MATERIAL"}}
}

func keyMaterialDescriptionType() shape.String {
	return shape.String{Max: 256, Pattern: &shape.Pattern{
		Expr:  `^[a-zA-Z0-9:/_\s.-]+$`,
		Match: some(func(r rune) bool { return word(r) || strings.ContainsRune(":/.- \t\n\v\f\r", r) }),
	}}
}

func keyMaterialIDType() shape.String {
	return shape.String{Min: 64, Max: 64, Pattern: &shape.Pattern{
		Expr: "^[a-f0-9]+$", Match: some(func(r rune) bool { return 'a' <= r && r <= 'f' || '0' <= r && r <= '9' }),
	}}
}

func dryRunModifierType() shape.String { return shape.String{Enum: []string{ignoreCiphertext}} }

func dataKeyPairSpec() shape.String {
	return shape.String{Enum: []string{
		"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "SM2",
		"ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
	}}
}

func signingAlgorithmSpec() shape.String {
	return shape.String{Enum: []string{
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384",
		"RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256",
		"ED25519_SHA_512", "ED25519_PH_SHA_512",
	}}
}

func messageTypeType() shape.String { return shape.String{Enum: []string{raw, digest, externalMu}} }

func macAlgorithmSpec() shape.String {
	return shape.String{Enum: []string{"HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"}}
}

func keyAgreementAlgorithmSpec() shape.String { return shape.String{Enum: []string{ecdh}} }

func encapsulationAlgorithmSpec() shape.String { return shape.String{Enum: []string{mlKEM}} }

func publicKeyType() shape.Blob { return shape.Blob{Min: 1, Max: 8192} }

func keyEncryptionMechanism() shape.String { return shape.String{Enum: []string{"RSAES_OAEP_SHA_256"}} }

func attestationDocumentType() shape.Blob { return shape.Blob{Min: 1, Max: 262144} }

// Values of the model that the code names.
const (
	symmetricDefault = "SYMMETRIC_DEFAULT"
	ignoreCiphertext = "IGNORE_CIPHERTEXT"
	allKeyMaterial   = "ALL_KEY_MATERIAL"

	raw        = "RAW"
	digest     = "DIGEST"
	externalMu = "EXTERNAL_MU"

	ecdh  = "ECDH"
	mlKEM = "ML_KEM"

	encryptDecrypt         = "ENCRYPT_DECRYPT"
	signVerify             = "SIGN_VERIFY"
	generateVerifyMac      = "GENERATE_VERIFY_MAC"
	keyAgreement           = "KEY_AGREEMENT"
	encapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE"
)

// regionName matches two or three words of small letters, each with a hyphen, and
// a number.
func regionName(s string) bool {
	parts := strings.Split(s, "-")
	words, number := parts[:len(parts)-1], parts[len(parts)-1]
	letter := some(func(r rune) bool { return 'a' <= r && r <= 'z' })
	digit := some(func(r rune) bool { return '0' <= r && r <= '9' })
	return (len(words) == 2 || len(words) == 3) && digit(number) && !slices.ContainsFunc(words, func(w string) bool { return !letter(w) })
}

func clusterID(s string) bool {
	id, ok := strings.CutPrefix(s, "cluster-")
	letters := every(func(r rune) bool { return '2' <= r && r <= '7' || word(r) && (r < '0' || r > '9') && r != '_' })
	return ok && len(id) >= 11 && len(id) <= 16 && letters(id)
}

func httpsHost(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	name := some(func(r rune) bool { return word(r) && r != '_' || r == '.' || r == '-' })
	return ok && name(host)
}

// proxyPath matches /kms/xks/v and one or two digits after nothing, or after a slash
// and a prefix.
func proxyPath(s string) bool {
	rest := strings.TrimRight(s, "0123456789")
	prefix, ok := strings.CutSuffix(rest, "/kms/xks/v")
	if n := len(s) - len(rest); !ok || n < 1 || n > 2 {
		return false
	}
	class := some(func(r rune) bool { return word(r) || r == '/' || r == '-' })
	return prefix == "" || prefix[0] == '/' && class(prefix[1:])
}

// endpointService matches (com|eu).amazonaws.vpce.REGION.vpce-svc-ID.
func endpointService(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 5 || parts[0] != "com" && parts[0] != "eu" || parts[1] != "amazonaws" || parts[2] != "vpce" || !regionName(parts[3]) {
		return false
	}
	id, ok := strings.CutPrefix(parts[4], "vpce-svc-")
	return ok && some(func(r rune) bool { return word(r) && r != '_' && (r < 'A' || r > 'Z') })(id)
}

// word is \w of the model's regular expressions.
func word(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}

func latin1(r rune) bool { return 0x20 <= r && r <= 0xFF }

// every matches [class]*.
func every(class func(rune) bool) func(string) bool {
	return func(s string) bool {
		for _, r := range s {
			if !class(r) {
				return false
			}
		}
		return true
	}
}

// some matches [class]+.
func some(class func(rune) bool) func(string) bool {
	all := every(class)
	return func(s string) bool { return s != "" && all(s) }
}
