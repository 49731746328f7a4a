package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/call"
)

// presignedLife is how long a presigned request is valid. AWS's STS takes it for
// 15 minutes whatever its X-Amz-Expires says, and who authenticates with one
// (Kubernetes' aws-iam-authenticator signs with 60 seconds and uses it for 14
// minutes) relies on that.
const presignedLife = 15 * time.Minute

// maxExpires bounds X-Amz-Expires, in seconds: 7 days.
const maxExpires = 604_800

// Presigned says whether a request carries its signature in its query string
// ("Add the signature to the request", IAM user guide). One with an Authorization
// header does not.
func Presigned(r *http.Request) bool {
	return r.URL.RawQuery != "" && len(r.Header["Authorization"]) == 0 && strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
}

// presigned is what the query string says of the signature.
type presigned struct {
	authorization
	date  requestDate
	token string
}

// parsePresigned reads the parameters of a presigned request. Each may stand
// there once.
func parsePresigned(query string) (p presigned, refusal *call.Error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return p, call.Errorf(incomplete, "The query string is malformed.")
	}
	expires := ""
	for name, into := range map[string]*string{
		"X-Amz-Algorithm": &p.algorithm, "X-Amz-Credential": &p.credential, "X-Amz-SignedHeaders": &p.signedHeaders,
		"X-Amz-Signature": &p.signature, "X-Amz-Date": &p.date.value, "X-Amz-Security-Token": &p.token, "X-Amz-Expires": &expires,
	} {
		switch list := values[name]; {
		case len(list) > 1:
			return p, call.Errorf(incomplete, "AWS query-string parameters must not be repeated: %s.", name)
		case len(list) == 1:
			*into = list[0]
		}
	}
	p.date.life = presignedLife
	return p, checkPresigned(&p, expires)
}

// checkPresigned lists what a presigned request lacks, in AWS's order.
func checkPresigned(p *presigned, expires string) *call.Error {
	var missing strings.Builder
	for _, part := range [...]struct{ name, value string }{
		{"X-Amz-Algorithm", p.algorithm}, {"X-Amz-Credential", p.credential}, {"X-Amz-Signature", p.signature},
		{"X-Amz-SignedHeaders", p.signedHeaders}, {"X-Amz-Date", p.date.value},
	} {
		if part.value == "" {
			missing.WriteString("AWS query-string parameters must include '" + part.name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return call.Errorf(incomplete, "%sRe-examine the query-string parameters.", missing.String())
	}
	if seconds, ok := parseSeconds(expires); !ok || seconds > maxExpires {
		return call.Errorf(incomplete, "X-Amz-Expires must be a number of seconds from 0 to %d.", maxExpires)
	}
	return nil
}

// parseSeconds reads a number of at most 9 digits; none is 0.
func parseSeconds(s string) (n int, ok bool) {
	if len(s) > 9 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// withoutSignature is a query string as it was signed.
func withoutSignature(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != "X-Amz-Signature" {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
