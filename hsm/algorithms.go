package hsm

// The key specs that partitions may know (KeySpec, AWS KMS API reference).
const (
	SymmetricDefault    KeySpec = "SYMMETRIC_DEFAULT"
	RSA2048             KeySpec = "RSA_2048"
	RSA3072             KeySpec = "RSA_3072"
	RSA4096             KeySpec = "RSA_4096"
	ECCNistP256         KeySpec = "ECC_NIST_P256"
	ECCNistP384         KeySpec = "ECC_NIST_P384"
	ECCNistP521         KeySpec = "ECC_NIST_P521"
	ECCSecgP256K1       KeySpec = "ECC_SECG_P256K1"
	ECCNistEdwards25519 KeySpec = "ECC_NIST_EDWARDS25519"
	HMAC224             KeySpec = "HMAC_224"
	HMAC256             KeySpec = "HMAC_256"
	HMAC384             KeySpec = "HMAC_384"
	HMAC512             KeySpec = "HMAC_512"
	SM2                 KeySpec = "SM2"
	MLDSA44             KeySpec = "ML_DSA_44"
	MLDSA65             KeySpec = "ML_DSA_65"
	MLDSA87             KeySpec = "ML_DSA_87"
	MLKEM512            KeySpec = "ML_KEM_512"
	MLKEM768            KeySpec = "ML_KEM_768"
	MLKEM1024           KeySpec = "ML_KEM_1024"
)

// The signing algorithms (SigningAlgorithmSpec, AWS KMS API reference).
const (
	RSAPSSSHA256   SigningAlgorithm = "RSASSA_PSS_SHA_256"
	RSAPSSSHA384   SigningAlgorithm = "RSASSA_PSS_SHA_384"
	RSAPSSSHA512   SigningAlgorithm = "RSASSA_PSS_SHA_512"
	RSAPKCS1SHA256 SigningAlgorithm = "RSASSA_PKCS1_V1_5_SHA_256"
	RSAPKCS1SHA384 SigningAlgorithm = "RSASSA_PKCS1_V1_5_SHA_384"
	RSAPKCS1SHA512 SigningAlgorithm = "RSASSA_PKCS1_V1_5_SHA_512"
	ECDSASHA256    SigningAlgorithm = "ECDSA_SHA_256"
	ECDSASHA384    SigningAlgorithm = "ECDSA_SHA_384"
	ECDSASHA512    SigningAlgorithm = "ECDSA_SHA_512"
	SM2DSA         SigningAlgorithm = "SM2DSA"
	MLDSAShake256  SigningAlgorithm = "ML_DSA_SHAKE_256"
	ED25519SHA512  SigningAlgorithm = "ED25519_SHA_512"
	ED25519PH      SigningAlgorithm = "ED25519_PH_SHA_512"
)

// The algorithms of asymmetric encryption (EncryptionAlgorithmSpec, AWS KMS API
// reference).
const (
	RSAOAEPSHA1   EncryptionAlgorithm = "RSAES_OAEP_SHA_1"
	RSAOAEPSHA256 EncryptionAlgorithm = "RSAES_OAEP_SHA_256"
	SM2PKE        EncryptionAlgorithm = "SM2PKE"
)

// The algorithms of message authentication (MacAlgorithmSpec, AWS KMS API
// reference).
const (
	HMACSHA224 MACAlgorithm = "HMAC_SHA_224"
	HMACSHA256 MACAlgorithm = "HMAC_SHA_256"
	HMACSHA384 MACAlgorithm = "HMAC_SHA_384"
	HMACSHA512 MACAlgorithm = "HMAC_SHA_512"
)

// The algorithms under which material comes in (AlgorithmSpec, AWS KMS API
// reference). RSA_AES_KEY_WRAP is an AES-256 key under RSAES-OAEP followed by the
// material under AES Key Wrap with Padding (PKCS #11 v2.40 §2.1.21).
const (
	WrapOAEPSHA1   WrappingAlgorithm = "RSAES_OAEP_SHA_1"
	WrapOAEPSHA256 WrappingAlgorithm = "RSAES_OAEP_SHA_256"
	WrapAESSHA1    WrappingAlgorithm = "RSA_AES_KEY_WRAP_SHA_1"
	WrapAESSHA256  WrappingAlgorithm = "RSA_AES_KEY_WRAP_SHA_256"
	WrapSM2PKE     WrappingAlgorithm = "SM2PKE"
)
