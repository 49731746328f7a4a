package policy

import (
	"strings"
	"unicode/utf8"
)

// glob is a pattern with * (any text, also none) and ? (any one character),
// cut at its asterisks: the first segment is where the text begins, the last one
// where it ends, the others lie between in this order. Taking each at its
// leftmost place is right, so nothing is ever taken back.
type glob []segment

// segment is a piece of a pattern without asterisks.
type segment struct {
	literal string
	runes   []rune // where it has question marks: the characters, anyRune for those
}

// anyRune stands for a question mark.
const anyRune rune = -1

// compileGlob cuts a pattern.
func compileGlob(pattern string) glob {
	b := newGlobBuilder()
	for _, r := range pattern {
		switch r {
		case '*':
			b.star()
		case '?':
			b.one()
		default:
			b.rune(r)
		}
	}
	return b.done()
}

// globBuilder makes a glob from its pieces, so that text which is no pattern (the
// value of a variable) can be among them.
type globBuilder struct {
	made  glob
	runes []rune
	wild  bool
}

func newGlobBuilder() *globBuilder { return &globBuilder{} }

func (b *globBuilder) rune(r rune) { b.runes = append(b.runes, r) }

func (b *globBuilder) text(s string) { b.runes = append(b.runes, []rune(s)...) }

func (b *globBuilder) one() { b.runes, b.wild = append(b.runes, anyRune), true }

func (b *globBuilder) star() {
	s := segment{}
	if b.wild {
		s.runes = b.runes
	} else {
		s.literal = string(b.runes)
	}
	b.made = append(b.made, s)
	b.runes, b.wild = nil, false
}

func (b *globBuilder) done() glob {
	b.star()
	return b.made
}

// match says whether a text matches, at the cost of the meter.
func (g glob) match(m *meter, text string) bool {
	if !m.spend(1 + len(text)) {
		return false
	}
	first, last := g[0], g[len(g)-1]
	n := first.prefix(m, text)
	if n < 0 {
		return false
	}
	text = text[n:]
	if len(g) == 1 {
		return text == ""
	}
	n = last.suffix(m, text)
	if n < 0 {
		return false
	}
	text = text[:len(text)-n]
	for _, s := range g[1 : len(g)-1] {
		if n = s.find(m, text); n < 0 {
			return false
		}
		text = text[n:]
	}
	return true
}

// prefix answers how many bytes at the start of a text the segment matches, -1
// where it does not.
func (s *segment) prefix(m *meter, text string) int {
	if s.runes == nil {
		if strings.HasPrefix(text, s.literal) {
			return len(s.literal)
		}
		return -1
	}
	n := 0
	for _, want := range s.runes {
		r, size := utf8.DecodeRuneInString(text[n:])
		if !m.spend(1) || size == 0 || want != anyRune && want != r {
			return -1
		}
		n += size
	}
	return n
}

// suffix is prefix at the end of a text.
func (s *segment) suffix(m *meter, text string) int {
	if s.runes == nil {
		if strings.HasSuffix(text, s.literal) {
			return len(s.literal)
		}
		return -1
	}
	n := len(text)
	for range s.runes {
		_, size := utf8.DecodeLastRuneInString(text[:n])
		if !m.spend(1) || size == 0 {
			return -1
		}
		n -= size
	}
	if s.prefix(m, text[n:]) < 0 {
		return -1
	}
	return len(text) - n
}

// find answers the end of the leftmost place in a text that the segment matches,
// -1 where there is none.
func (s *segment) find(m *meter, text string) int {
	if s.runes == nil {
		if i := strings.Index(text, s.literal); m.spend(1+len(text)) && i >= 0 {
			return i + len(s.literal)
		}
		return -1
	}
	for at := 0; !m.empty(); {
		if n := s.prefix(m, text[at:]); n >= 0 {
			return at + n
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		if size == 0 {
			break
		}
		at += size
	}
	return -1
}

// MaxSteps is what an evaluation may take: about as many comparisons of single
// bytes. Policies that people write take some hundreds; the largest key policy
// whose every byte is there to waste time is stopped here, after milliseconds.
const MaxSteps = 1 << 20

// meter counts the steps of one evaluation.
type meter struct{ left int }

// spend takes steps, and says whether there were enough.
func (m *meter) spend(steps int) bool {
	if m.left >= 0 {
		m.left -= steps
	}
	return m.left >= 0
}

// empty says whether the evaluation has run out of steps.
func (m *meter) empty() bool { return m.left < 0 }
