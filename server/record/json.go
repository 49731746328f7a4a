package record

import "unicode/utf8"

// appendMember appends ,"name":"value", the value cut to max bytes.
func appendMember(b []byte, name, value string, max int) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return AppendString(b, cut(value, max))
}

// appendOptional is appendMember, and nothing for an empty value.
func appendOptional(b []byte, name, value string, max int) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value, max)
}

func appendRaw(b []byte, prefix string, value []byte) []byte {
	b = append(b, prefix...)
	if value == nil {
		return append(b, "null"...)
	}
	return append(b, value...)
}

func appendBool(b []byte, prefix string, value bool) []byte {
	b = append(b, prefix...)
	if value {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// closeObject makes an object of the members appended since start, each with its
// leading comma.
func closeObject(b []byte, start int) []byte {
	if len(b) == start {
		return append(b, '{', '}')
	}
	b[start] = '{'
	return append(b, '}')
}

// cut shortens s to max bytes, not within a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259 §7) as encoding/json does
// without HTML escaping: bytes that are no UTF-8 become U+FFFD, and U+2028 and
// U+2029 are escaped.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				b = append(b, s[start:i]...)
				b = appendEscape(b, c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if escape := unusual(r, size); escape != "" {
			b = append(b, s[start:i]...)
			b = append(b, escape...)
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// unusual answers the escape of a character that is not written as it is.
func unusual(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	}
	return ""
}
