package shape

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// scanner reads one JSON text (RFC 8259) from front to back. It is strict: UTF-8
// without unpaired surrogates, nothing after the value, no more than maxDepth
// levels. Two different texts must not become one value, since values are
// authenticated (encryption contexts) and compared.
type scanner struct {
	data  []byte
	at    int
	depth int
}

// maxDepth bounds nesting; the API's requests have three levels.
const maxDepth = 32

// errSyntax is returned for what is no JSON. AWS answers it without a message.
var errSyntax = errors.New("shape: malformed JSON")

// typeError is a JSON value of the wrong type, in AWS's words.
type typeError string

func (e typeError) Error() string { return string(e) }

const (
	errList   typeError = "Start of list found where not expected"
	errObject typeError = "Start of structure or map found where not expected."
)

// next answers the first byte of the next token without consuming it.
func (s *scanner) next() (byte, error) {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c, nil
		}
	}
	return 0, errSyntax
}

// expect enters an object or list, or says what stands there instead.
func (s *scanner) expect(open byte) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != open {
		if _, err := s.scalar(); err != nil { // also: a list or an object
			return err
		}
		if open == '[' {
			return typeError("Expected list or null")
		}
		return typeError("Expected structure or map, or null")
	}
	if s.depth++; s.depth > maxDepth {
		return errSyntax
	}
	s.at++
	return nil
}

// more moves to the next element of the list or object that close ends; first is
// true before the first.
func (s *scanner) more(first bool, close byte) (bool, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return false, err
	case c == close:
		s.at++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, errSyntax
	}
	s.at++
	return true, nil
}

// name reads the next member's name and colon; more is false at the end of the
// object.
func (s *scanner) name(first bool) (name []byte, more bool, err error) {
	if more, err = s.more(first, '}'); err != nil || !more {
		return nil, false, err
	}
	if c, err := s.next(); err != nil || c != '"' {
		return nil, false, errSyntax
	}
	if name, err = s.str(); err != nil {
		return nil, false, err
	}
	if c, err := s.next(); err != nil || c != ':' {
		return nil, false, errSyntax
	}
	s.at++
	return name, true, nil
}

// null consumes the next value if it is null.
func (s *scanner) null() (bool, error) {
	c, err := s.next()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.literal("null")
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		return errSyntax
	}
	s.at += len(word)
	return nil
}

// list calls element before each element of a list.
func (s *scanner) list(element func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		if more, err := s.more(first, ']'); err != nil || !more {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// skip reads over one value of any type.
func (s *scanner) skip() error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '[':
		return s.list(s.skip)
	case '{':
		if err := s.expect('{'); err != nil {
			return err
		}
		for first := true; ; first = false {
			if _, more, err := s.name(first); err != nil || !more {
				return err
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	}
	_, err = s.scalar()
	return err
}

// end fails where anything but white space is left.
func (s *scanner) end() error {
	if _, err := s.next(); err == nil {
		return errSyntax
	}
	return nil
}

// kind is what a scalar is, as AWS's messages name it.
type kind string

const (
	kindString kind = "STRING_VALUE"
	kindNumber kind = "NUMBER_VALUE"
	kindTrue   kind = "TRUE_VALUE"
	kindFalse  kind = "FALSE_VALUE"
	kindNull   kind = "NULL_VALUE"
)

// scalar reads over a value that is neither list nor object and says what it is.
func (s *scanner) scalar() (kind, error) {
	c, err := s.next()
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		_, err := s.str()
		return kindString, err
	case 't':
		return kindTrue, s.literal("true")
	case 'f':
		return kindFalse, s.literal("false")
	case 'n':
		return kindNull, s.literal("null")
	case '[':
		return "", errList
	case '{':
		return "", errObject
	}
	_, err = s.number()
	return kindNumber, err
}

// unconvertible reads over a value of the wrong type and answers the error.
func (s *scanner) unconvertible(article, to string) error {
	k, err := s.scalar()
	if err != nil {
		return err
	}
	return typeError(string(k) + " can not be converted to " + article + " " + to)
}

func (s *scanner) boolean() (bool, error) {
	switch c, err := s.next(); {
	case err != nil:
		return false, err
	case c == 't':
		return true, s.literal("true")
	case c == 'f':
		return false, s.literal("false")
	}
	return false, s.unconvertible("a", "Boolean")
}

// integer reads a number as AWS does: a fraction is cut off, what is too large
// for 32 bits becomes the largest or smallest such number.
func (s *scanner) integer() (int, error) {
	f, err := s.float("an", "Integer")
	return int(math.Max(math.MinInt32, math.Min(math.MaxInt32, f))), err
}

// maxTime is the end of the year 9999, the last that a calendar date of four
// digits has, in seconds.
const maxTime = 253402300799

// time reads epoch seconds with a fraction, as JSON 1.1 writes timestamps, and
// answers milliseconds. A time that is out of all bounds becomes the nearest one.
func (s *scanner) time() (int64, error) {
	f, err := s.float("milliseconds", "since epoch")
	return int64(math.Round(math.Max(-maxTime, math.Min(maxTime, f)) * 1000)), err
}

// float reads a number for what a message calls to.
func (s *scanner) float(article, to string) (float64, error) {
	c, err := s.next()
	if err != nil {
		return 0, err
	}
	if c != '-' && (c < '0' || c > '9') {
		return 0, s.unconvertible(article, to)
	}
	text, err := s.number()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is ±Inf, or 0
		return 0, errSyntax
	}
	return f, nil
}

// number reads a number (RFC 8259 §6).
func (s *scanner) number() ([]byte, error) {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return nil, errSyntax
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return nil, errSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return nil, errSyntax
		}
	}
	return s.data[start:s.at], nil
}

// peek answers the byte at the position, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// digits reads digits and says whether there was one.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
