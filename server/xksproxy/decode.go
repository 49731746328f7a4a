package xksproxy

import (
	"encoding/json"

	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/xks"
)

// maxText bounds the texts of request metadata: ARNs have 2,048 characters at most.
const maxText = 2048

// decode reads and validates a request about a key.
func decode(key, verb string, body []byte) (*kms.Proxied, error) {
	request := &kms.Proxied{KeyID: key}
	var into any
	switch verb {
	case "encrypt":
		request.Encrypt = new(xks.EncryptRequest)
		into = request.Encrypt
	case "decrypt":
		request.Decrypt = new(xks.DecryptRequest)
		into = request.Decrypt
	default:
		request.Metadata = new(xks.MetadataRequest)
		into = request.Metadata
	}
	if json.Unmarshal(body, into) != nil || !valid(request) {
		return nil, errInvalid
	}
	return request, nil
}

func valid(r *kms.Proxied) bool {
	switch {
	case r.Encrypt != nil:
		q := r.Encrypt
		return about(&q.RequestMetadata, true) && q.Algorithm == xks.AESGCM && len(q.Plaintext) >= 1 && len(q.Plaintext) <= xks.MaxPlaintext &&
			len(q.AAD) <= xks.MaxAAD && (q.IntegrityAlgorithm == "" || q.IntegrityAlgorithm == xks.SHA256)
	case r.Decrypt != nil:
		q := r.Decrypt
		return about(&q.RequestMetadata, true) && q.Algorithm == xks.AESGCM && len(q.Ciphertext.Ciphertext) >= 1 &&
			len(q.Ciphertext.Ciphertext) <= xks.MaxPlaintext && len(q.AAD) <= xks.MaxAAD && len(q.Metadata) <= xks.MaxMetadata
	}
	return about(&r.Metadata.RequestMetadata, false)
}

// about says whether request metadata has what is required. An operation that nobody
// knows yet is as good as any.
func about(m *xks.RequestMetadata, key bool) bool {
	for _, text := range []string{m.AWSPrincipalARN, m.AWSSourceVPC, m.AWSSourceVPCE, m.KMSKeyARN, m.KMSOperation, m.KMSRequestID, m.KMSViaService} {
		if len(text) > maxText {
			return false
		}
	}
	return m.AWSPrincipalARN != "" && m.KMSOperation != "" && m.KMSRequestID != "" && (!key || m.KMSKeyARN != "")
}
