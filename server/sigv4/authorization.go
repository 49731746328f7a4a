package sigv4

import (
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

const algorithm = "AWS4-HMAC-SHA256"

// authorization is the Authorization header, taken apart:
//
//	AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature=<hex>
type authorization struct{ algorithm, credential, signedHeaders, signature string }

// parseAuthorization splits the header. Spaces and commas separate its parts
// alike, as they do for AWS.
func parseAuthorization(header string) (a authorization, refusal *call.Error) {
	trimmed := strings.TrimLeft(header, " ")
	if !strings.HasPrefix(trimmed, "AWS4-") {
		return a, errMissing
	}
	a.algorithm, trimmed = nextPart(trimmed)
	for {
		var part string
		if part, trimmed = nextPart(trimmed); part == "" {
			return a, nil
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return a, call.Errorf(incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header "+
				"(hashed with SHA-256 and encoded with Base64): '%s'.", fingerprint(header))
		}
		switch name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.signedHeaders = value
		case "Signature":
			a.signature = value
		}
	}
}

// nextPart answers what stands before the next separator, and the rest.
func nextPart(s string) (part, rest string) {
	start := 0
	for start < len(s) && separator(s[start]) {
		start++
	}
	end := start
	for end < len(s) && !separator(s[end]) {
		end++
	}
	return s[start:end], s[end:]
}

func separator(c byte) bool { return c == ' ' || c == ',' || c == '\t' }

// credential is the Credential part: who signed, and for which scope.
type credential struct {
	keyID, date, region, service, terminator string
	scope                                    string // date/region/service/terminator
}

func parseCredential(s string) (c credential, refusal *call.Error) {
	rest := s
	var ok [4]bool
	c.keyID, rest, ok[0] = strings.Cut(rest, "/")
	c.scope = rest
	c.date, rest, ok[1] = strings.Cut(rest, "/")
	c.region, rest, ok[2] = strings.Cut(rest, "/")
	c.service, c.terminator, ok[3] = strings.Cut(rest, "/")
	if ok != [4]bool{true, true, true, true} || strings.Contains(c.terminator, "/") {
		return c, call.Errorf(incomplete, "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", s)
	}
	return c, nil
}
