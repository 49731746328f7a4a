package xks

import (
	"crypto/sha256"
	"encoding/binary"
)

// Service is the name of the service in the credential scopes of requests to
// proxies (appendix A).
const Service = "kms-xks-proxy"

// The sizes that every proxy accepts, in bytes ("Encrypt", "Decrypt").
const (
	MaxPlaintext = 4300
	MaxAAD       = 8192
	MaxMetadata  = 20 // of a ciphertext
	TagSize      = 16
)

// Values of members.
const (
	AESGCM  = "AES_GCM" // the one encryption algorithm
	SHA256  = "SHA_256" // the one integrity value algorithm
	AES256  = "AES_256" // the one key spec
	CanSeal = "ENCRYPT"
	CanOpen = "DECRYPT"

	StatusEnabled  = "ENABLED"
	StatusDisabled = "DISABLED"

	Active      = "ACTIVE"
	Degraded    = "DEGRADED"
	Unavailable = "UNAVAILABLE"
)

// RequestMetadata says for whom KMS calls (appendix B). Which members there are
// depends on the call.
type RequestMetadata struct {
	AWSPrincipalARN string `json:"awsPrincipalArn,omitempty"`
	AWSSourceVPC    string `json:"awsSourceVpc,omitempty"`
	AWSSourceVPCE   string `json:"awsSourceVpce,omitempty"`
	KMSKeyARN       string `json:"kmsKeyArn,omitempty"`
	KMSOperation    string `json:"kmsOperation"`
	KMSRequestID    string `json:"kmsRequestId"`
	KMSViaService   string `json:"kmsViaService,omitempty"`
}

// MetadataRequest is the body of GetKeyMetadata and of GetHealthStatus.
type MetadataRequest struct {
	RequestMetadata RequestMetadata `json:"requestMetadata"`
}

// KeyMetadata is the answer of GetKeyMetadata.
type KeyMetadata struct {
	KeySpec   string   `json:"keySpec"`
	KeyUsage  []string `json:"keyUsage"`
	KeyStatus string   `json:"keyStatus"`
}

// EncryptRequest is the body of Encrypt.
type EncryptRequest struct {
	RequestMetadata    RequestMetadata `json:"requestMetadata"`
	AAD                []byte          `json:"additionalAuthenticatedData,omitempty"`
	Plaintext          []byte          `json:"plaintext"`
	Algorithm          string          `json:"encryptionAlgorithm"`
	IntegrityAlgorithm string          `json:"ciphertextDataIntegrityValueAlgorithm,omitempty"`
}

// EncryptResponse is the answer of Encrypt.
type EncryptResponse struct {
	Ciphertext
	IntegrityValue []byte `json:"ciphertextDataIntegrityValue,omitempty"`
}

// Ciphertext is what Encrypt makes and Decrypt takes.
type Ciphertext struct {
	Ciphertext []byte `json:"ciphertext"`
	Metadata   []byte `json:"ciphertextMetadata,omitempty"` // the proxy's own, MaxMetadata bytes at most
	IV         []byte `json:"initializationVector"`         // 12 or 16 bytes
	Tag        []byte `json:"authenticationTag"`            // TagSize bytes
}

// DecryptRequest is the body of Decrypt.
type DecryptRequest struct {
	RequestMetadata RequestMetadata `json:"requestMetadata"`
	Ciphertext
	Algorithm string `json:"encryptionAlgorithm"`
	AAD       []byte `json:"additionalAuthenticatedData,omitempty"`
}

// DecryptResponse is the answer of Decrypt.
type DecryptResponse struct {
	Plaintext []byte `json:"plaintext"`
}

// Health is the answer of GetHealthStatus.
type Health struct {
	FleetSize  int             `json:"xksProxyFleetSize"`
	Vendor     string          `json:"xksProxyVendor"`
	Model      string          `json:"xksProxyModel"`
	EKMVendor  string          `json:"ekmVendor"`
	EKMDetails []ManagerHealth `json:"ekmFleetDetails"`
}

// ManagerHealth is how one external key manager is.
type ManagerHealth struct {
	ID     string `json:"id"`
	Model  string `json:"model"`
	Status string `json:"healthStatus"`
}

// ErrorResponse is the body of every answer but 200 ("Error codes").
type ErrorResponse struct {
	Name    string `json:"errorName"`
	Message string `json:"errorMessage,omitempty"`
}

// valid says whether a ciphertext has the shape that the specification demands,
// for a plaintext of a length.
func (c *Ciphertext) valid(plaintext int) bool {
	return len(c.Ciphertext) == plaintext && len(c.Metadata) <= MaxMetadata && len(c.Tag) == TagSize &&
		(len(c.IV) == 12 || len(c.IV) == 16)
}

// IntegrityValue is the ciphertext data integrity value (appendix C).
func (c *Ciphertext) IntegrityValue(aad []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{aad, c.Metadata, c.IV, c.Ciphertext, c.Tag} {
		h.Write(part)
	}
	return h.Sum(nil)
}

// ManagerAAD is what the key manager authenticates: the data of the request and
// the proxy's metadata, each after its length ("Encrypt", ciphertextMetadata).
//
//	length of aad, 2 bytes, big-endian | aad | length of metadata, 1 byte | metadata
func ManagerAAD(aad, metadata []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 3+len(aad)+len(metadata)), uint16(len(aad)))
	b = append(b, aad...)
	b = append(b, byte(len(metadata)))
	return append(b, metadata...)
}

// Marshal writes a ciphertext as the envelope that clients keep:
//
//	length of metadata, 1 byte | metadata | length of IV, 1 byte | IV | tag, 16 bytes | ciphertext
func (c *Ciphertext) Marshal() []byte {
	b := make([]byte, 0, 2+len(c.Metadata)+len(c.IV)+TagSize+len(c.Ciphertext))
	b = append(append(b, byte(len(c.Metadata))), c.Metadata...)
	b = append(append(b, byte(len(c.IV))), c.IV...)
	return append(append(b, c.Tag...), c.Ciphertext...)
}

// ParseCiphertext reads what Marshal wrote, and nothing else.
func ParseCiphertext(b []byte) (*Ciphertext, bool) {
	metadata, b, ok := prefixed(b)
	if !ok {
		return nil, false
	}
	iv, b, ok := prefixed(b)
	if !ok || len(b) < TagSize {
		return nil, false
	}
	c := &Ciphertext{Metadata: metadata, IV: iv, Tag: b[:TagSize], Ciphertext: b[TagSize:]}
	return c, c.valid(len(c.Ciphertext))
}

// prefixed takes a field with its length from the front of b.
func prefixed(b []byte) (field, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}
