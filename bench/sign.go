package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// signer signs requests with AWS Signature Version 4. The signing key depends on
// the day only and is kept, as the SDKs keep it; everything else is computed
// anew for each request.
type signer struct {
	accessKey string
	region    string
	key       []byte
	day       string
	secret    string
}

func newSigner(t target) *signer {
	return &signer{accessKey: t.accessKey, secret: t.secret, region: t.region}
}

// headers appends the header lines of a signed request: from X-Amz-Date to
// Authorization.
func (s *signer) headers(dst []byte, host, operation string, body []byte, now time.Time) []byte {
	stamp := now.UTC().Format("20060102T150405Z")
	s.rekey(stamp[:8])
	bodyHash := sha256.Sum256(body)
	const signed = "content-type;host;x-amz-date;x-amz-target"
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + host +
		"\nx-amz-date:" + stamp + "\nx-amz-target:TrentService." + operation +
		"\n\n" + signed + "\n" + hex.EncodeToString(bodyHash[:])
	canonicalHash := sha256.Sum256([]byte(canonical))
	scope := stamp[:8] + "/" + s.region + "/kms/aws4_request"
	signature := mac(s.key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(canonicalHash[:]))

	dst = append(dst, "X-Amz-Date: "...)
	dst = append(dst, stamp...)
	dst = append(dst, "\r\nX-Amz-Target: TrentService."...)
	dst = append(dst, operation...)
	dst = append(dst, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential="...)
	dst = append(dst, s.accessKey...)
	dst = append(dst, '/')
	dst = append(dst, scope...)
	dst = append(dst, ", SignedHeaders="+signed+", Signature="...)
	dst = hex.AppendEncode(dst, signature)
	return append(dst, "\r\n"...)
}

func (s *signer) rekey(day string) {
	if s.day == day {
		return
	}
	key := mac([]byte("AWS4"+s.secret), day)
	key = mac(key, s.region)
	key = mac(key, "kms")
	s.key, s.day = mac(key, "aws4_request"), day
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}
