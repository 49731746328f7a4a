package shape

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string.
func (s *scanner) text() (string, error) {
	c, err := s.next()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", s.unconvertible("a", "String")
	}
	b, err := s.str()
	return string(b), err
}

// base64Strict refuses line breaks inside and set bits in the padding: a blob
// has one encoding.
var base64Strict = base64.StdEncoding.Strict()

// blob reads a string of base64 (RFC 4648 §4, padded).
func (s *scanner) blob() ([]byte, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	if c != '"' {
		if _, err := s.scalar(); err != nil {
			return nil, err
		}
		return nil, typeError("only base-64-encoded strings are convertible to bytes")
	}
	text, err := s.str()
	if err != nil {
		return nil, err
	}
	if len(text)%4 != 0 {
		return nil, typeError("Base64 encoded length is expected a multiple of 4 bytes but found: " + strconv.Itoa(len(text)))
	}
	out := make([]byte, base64Strict.DecodedLen(len(text)))
	n, err := base64Strict.Decode(out, text)
	if err != nil || n < len(text)/4*3-2 { // the decoder skips line breaks, and then the length shows it
		return nil, typeError("Invalid Base64 encoding")
	}
	return out[:n], nil
}

// pairs reads an object of strings, sorted by key. An empty one is not nil, as an
// absent one is.
func (s *scanner) pairs() ([]Pair, error) {
	if err := s.expect('{'); err != nil {
		return nil, err
	}
	pairs := []Pair{}
	for first := true; ; first = false {
		name, more, err := s.name(first)
		if err != nil {
			return nil, err
		}
		if !more {
			return sortPairs(pairs), nil
		}
		p := Pair{Key: string(name)}
		if p.Value, err = s.text(); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
}

// sortPairs sorts by key and keeps the last of equal keys.
func sortPairs(pairs []Pair) []Pair {
	slices.SortStableFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	kept := pairs[:0]
	for i, p := range pairs {
		if i+1 < len(pairs) && pairs[i+1].Key == p.Key {
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// str reads a string at its opening quote. The result may be a part of the body:
// whoever keeps it copies it.
func (s *scanner) str() ([]byte, error) {
	s.at++
	start, ascii := s.at, true
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			b := s.data[start:s.at]
			s.at++
			if !ascii && !utf8.Valid(b) {
				return nil, errSyntax
			}
			return b, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, errSyntax
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.at++
	}
	return nil, errSyntax
}

// escaped reads on in a string that has an escape at the position.
func (s *scanner) escaped(start int) ([]byte, error) {
	b := append([]byte(nil), s.data[start:s.at]...)
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return nil, errSyntax
			}
			return b, nil
		case c < ' ':
			return nil, errSyntax
		case c != '\\':
			b = append(b, c)
			continue
		}
		r, err := s.escape()
		if err != nil {
			return nil, err
		}
		b = utf8.AppendRune(b, r)
	}
	return nil, errSyntax
}

// escape reads what follows a backslash (RFC 8259 §7).
func (s *scanner) escape() (rune, error) {
	c := s.peek()
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return s.unicode()
	}
	return 0, errSyntax
}

// unicode reads the digits of \uXXXX, and the second half of a surrogate pair.
// Half a pair is no character: it is refused.
func (s *scanner) unicode() (rune, error) {
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if err := s.literal(`\u`); err != nil {
		return 0, err
	}
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, errSyntax
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	if len(s.data)-s.at < 4 {
		return 0, errSyntax
	}
	n, err := strconv.ParseUint(string(s.data[s.at:s.at+4]), 16, 16)
	if err != nil {
		return 0, errSyntax
	}
	s.at += 4
	return rune(n), nil
}
