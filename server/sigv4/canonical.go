package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// appendCanonical appends the canonical request ("Create a canonical request",
// IAM user guide):
//
//	method \n path \n query \n (name:value \n)* \n signed headers \n hex(SHA-256(body))
func (c *Claim) appendCanonical(b []byte, r *http.Request, bodyHash *[32]byte) ([]byte, *call.Error) {
	path, query, _ := strings.Cut(target(r), "?")
	if c.presigned {
		query = withoutSignature(query)
	}
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendPath(b, path)
	b = append(b, '\n')
	b = appendQuery(b, query)
	b = append(b, '\n')
	b, refusal := appendHeaders(b, r, c.signedHeaders)
	if refusal != nil {
		return b, refusal
	}
	b = append(b, '\n')
	b = appendLower(b, c.signedHeaders)
	b = append(b, '\n')
	return hex.AppendEncode(b, bodyHash[:]), nil
}

// target answers the path and query as they came; a request line may also have
// the whole URL (RFC 9112 §3.2.2).
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// appendPath appends the path as it came, normalized (RFC 3986 §6.2.2.3) and
// encoded once more, as every service but S3 has it.
func appendPath(b []byte, path string) []byte {
	if path == "/" || path == "" {
		return append(b, '/')
	}
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	for _, segment := range segments {
		b = appendEncoded(append(b, '/'), segment)
	}
	if len(segments) == 0 || strings.HasSuffix(path, "/") {
		b = append(b, '/')
	}
	return b
}

// appendQuery appends the parameters, encoded anew and sorted by name, then
// value.
func appendQuery(b []byte, query string) []byte {
	if query == "" {
		return b
	}
	var pairs [][2]string
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, [2]string{
			string(appendEncoded(nil, decode(name))), string(appendEncoded(nil, decode(value)))})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if order := strings.Compare(a[0], b[0]); order != 0 {
			return order
		}
		return strings.Compare(a[1], b[1])
	})
	for i, pair := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, pair[0]...), '='), pair[1]...)
	}
	return b
}

// decode undoes percent-encoding; + is a space, as clients' URL libraries have
// it. A broken escape stands for itself.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			b = append(b, byte(unhex[s[i+1]])<<4|byte(unhex[s[i+2]]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// unhex is the value of a hexadecimal digit, -1 of any other byte.
var unhex = func() (table [256]int8) {
	for i := range table {
		table[i] = -1
	}
	for i := range 10 {
		table['0'+i] = int8(i)
	}
	for i := range 6 {
		table['a'+i], table['A'+i] = int8(10+i), int8(10+i)
	}
	return table
}()

// appendEncoded appends s with all but the unreserved characters of RFC 3986
// §2.3 percent-encoded.
func appendEncoded(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return b
}

// appendHeaders appends the signed headers in the order of the list.
func appendHeaders(b []byte, r *http.Request, signedHeaders string) ([]byte, *call.Error) {
	for rest := signedHeaders; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ";")
		b = appendLower(b, name)
		b = append(b, ':')
		values, ok := headerValues(r, name)
		if !ok {
			return b, call.Errorf(incomplete, "'%s' is named as a SignedHeader, but it does not exist in the HTTP request.", name)
		}
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, value)
		}
		b = append(b, '\n')
	}
	return b, nil
}

// headerValues answers the values of a header that is named in any case. The
// HTTP server keeps some headers elsewhere.
func headerValues(r *http.Request, name string) ([]string, bool) {
	var key [64]byte
	if len(name) > len(key) {
		values := r.Header.Values(name)
		return values, len(values) > 0
	}
	values, ok := r.Header[string(canonicalKey(key[:0], name))]
	if ok {
		return values, true
	}
	switch {
	case strings.EqualFold(name, "host"):
		return []string{r.Host}, true
	case strings.EqualFold(name, "content-length") && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}, true
	case strings.EqualFold(name, "transfer-encoding") && len(r.TransferEncoding) > 0:
		return r.TransferEncoding, true
	}
	return nil, false
}

// canonicalKey appends a header's name in the form of http.Header's keys.
func canonicalKey(b []byte, name string) []byte {
	upper := true
	for _, c := range []byte(name) {
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		} else if !upper && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
		upper = c == '-'
	}
	return b
}

// appendValue appends a header's value without spaces around it and with runs of
// spaces made one.
func appendValue(b []byte, value string) []byte {
	value = strings.TrimSpace(value)
	if !strings.Contains(value, "  ") {
		return append(b, value...)
	}
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' { // value[0] is no space
			b = append(b, value[i])
		}
	}
	return b
}

func appendLower(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}
