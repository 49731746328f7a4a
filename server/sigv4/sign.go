package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"time"
)

// outgoing are the headers that requests of ours are signed with.
const outgoing = "host;x-amz-date"

// NewClaim is what a request of ours at a time is going to say about its
// signature, by an access key, to a service in a Region.
func NewClaim(accessKeyID, region, service string, now time.Time) *Claim {
	stamp := now.UTC().Format(basicFormat)
	return &Claim{
		AccessKeyID: accessKeyID, Date: stamp[:8], Region: region, Service: service, stamp: stamp,
		scope: stamp[:8] + "/" + region + "/" + service + "/aws4_request", signedHeaders: outgoing,
	}
}

// Sign signs a request whose body has a SHA-256 hash: it sets X-Amz-Date and
// Authorization. The error says that a header cannot be signed.
func (c *Claim) Sign(r *http.Request, bodyHash [sha256.Size]byte, key *SigningKey) error {
	r.Header.Set("X-Amz-Date", c.stamp)
	text, refusal := c.appendCanonical(nil, r, &bodyHash)
	if refusal != nil {
		return refusal
	}
	canonicalHash := sha256.Sum256(text)
	h := key.macs.Get().(hash.Hash)
	h.Reset()
	h.Write(c.appendStringToSign(text[:0], &canonicalHash))
	c.signature = hex.EncodeToString(h.Sum(nil))
	key.macs.Put(h)
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+c.scope+
		", SignedHeaders="+c.signedHeaders+", Signature="+c.signature)
	return nil
}
